import { element, setText } from './element.ts'
import { checkToken } from './session.ts'

export interface SignInForm {
  /** Shows the form; `reason` says why, if not for the first time. */
  open(reason?: string): void
  close(): void
}

const help = {
  link: 'The link that “npx partway serve” printed signs you in. For another user: npx partway token --sub NAME --scope uploads',
  form: 'Your application’s backend makes it for you: a JWT with the scope “uploads”. It stays in this tab’s memory and is gone when you close or reload it.',
} as const

const refusals = {
  refused: 'The server does not take this token: it has expired, or is meant for another server.',
  'not-allowed': 'This token does not allow uploads: it needs the scope “uploads”.',
} as const

/** A form for a token. What is typed is asked about at the server, handed to `onToken` if taken, and wiped from the page in any case. */
export function createSignInForm(
  form: HTMLFormElement,
  options: { baseUrl: string; mode: 'link' | 'form'; onToken: (token: string) => void },
): SignInForm {
  const field = element(form, 'input', HTMLInputElement)
  const button = element(form, 'button', HTMLButtonElement)
  const problem = element(form, '#sign-in-error', HTMLElement)
  setText(element(form, '#sign-in-help', HTMLElement), help[options.mode])

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const token = field.value.trim()
    field.value = ''
    if (token !== '') void submit(token)
  })

  async function submit(token: string) {
    setText(problem, '')
    button.disabled = true
    const verdict = await checkToken(options.baseUrl, token)
    button.disabled = false
    if (verdict === 'taken') return options.onToken(token)
    setText(
      problem,
      verdict === 'unknown' ? 'The server cannot be asked right now. Try again in a moment.' : refusals[verdict],
    )
    field.focus()
  }

  return {
    open(reason = '') {
      setText(element(form, '#sign-in-title', HTMLElement), reason === '' ? 'Sign in' : 'Sign in again')
      setText(element(form, '#sign-in-reason', HTMLElement), reason)
      if (!form.hidden) return
      form.hidden = false
      // Never in mid-work: whoever is typing elsewhere keeps typing there.
      if (document.activeElement === document.body) field.focus()
    },
    close() {
      form.hidden = true
      setText(problem, '')
    },
  }
}
