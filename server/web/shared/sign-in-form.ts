import { element, setText } from './element.ts'

export interface SignInForm {
  /** Shows the form; `reason` says why, if not for the first time. */
  open(reason?: string): void
  close(): void
}

/** What a server says of a token; `unknown` when it cannot be asked. */
export type TokenVerdict = 'taken' | 'refused' | 'not-allowed' | 'unknown'

export interface SignInOptions {
  /** What stands below the field. */
  help: string
  /** What is said of a token without the scope the page needs. */
  notAllowed: string
  check(token: string): Promise<TokenVerdict>
  onToken(token: string): void
}

/** A form for a token. What is typed is asked about at the server, handed to `onToken` if taken, and wiped from the page in any case. */
export function createSignInForm(form: HTMLFormElement, options: SignInOptions): SignInForm {
  const field = element(form, 'input', HTMLInputElement)
  const button = element(form, 'button', HTMLButtonElement)
  const problem = element(form, '#sign-in-error', HTMLElement)
  setText(element(form, '#sign-in-help', HTMLElement), options.help)
  const complaints = {
    refused: 'The server does not take this token: it has expired, or is meant for another server.',
    'not-allowed': options.notAllowed,
    unknown: 'The server cannot be asked right now. Try again in a moment.',
  } as const

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const token = field.value.trim()
    field.value = ''
    if (token !== '') void submit(token)
  })

  async function submit(token: string) {
    setText(problem, '')
    button.disabled = true
    const verdict = await options.check(token)
    button.disabled = false
    if (verdict === 'taken') return options.onToken(token)
    setText(problem, complaints[verdict])
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
