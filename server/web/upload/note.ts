import { element, setText } from '../shared/element.ts'
import type { Message, Remedy } from './messages.ts'

/** A question that is answered in place, because a dialog would hide what it is about. */
export interface Question {
  title: string
  advice: string
  yes: string
  no: string
}

/** What a row says below its figures: one thing at a time. */
export interface Note {
  tell(message: Message, about: string, onRemedy: (remedy: Remedy) => void): void
  ask(question: Question, onYes: () => void, onNo: () => void): void
  /** A quiet line; nothing for undefined. */
  hint(text: string | undefined): void
  /** Puts the keyboard on the last button: the one that changes nothing. */
  focus(): void
}

const remedyTexts: Record<Remedy, string> = {
  retry: 'Try again',
  'start-over': 'Start over',
  'choose-again': 'Choose the file again',
}

export function createNote(root: HTMLElement): Note {
  const [title, advice] = [element(root, '.title', HTMLElement), element(root, '.advice', HTMLElement)]
  const buttons = element(root, '.buttons', HTMLElement)
  let shown = ''

  /** False where this is what the note shows already: its buttons, and the keyboard's place on them, then stay. */
  function show(kind: 'bad' | 'question' | 'hint' | 'none', texts: readonly string[]): boolean {
    const key = [kind, ...texts].join('\n')
    if (key === shown) return false
    shown = key
    root.hidden = kind === 'none'
    root.dataset.kind = kind
    setText(title, texts[0] ?? '')
    setText(advice, texts[1] ?? '')
    buttons.replaceChildren()
    return true
  }

  function addButton(text: string, label: string, onClick: () => void) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = text
    button.setAttribute('aria-label', label)
    button.addEventListener('click', onClick)
    buttons.append(button)
  }

  return {
    tell(message, about, onRemedy) {
      if (!show('bad', [message.title, message.advice, ...message.remedies])) return
      for (const remedy of message.remedies) {
        addButton(remedyTexts[remedy], `${remedyTexts[remedy]}: ${about}`, () => onRemedy(remedy))
      }
    },
    ask({ title: question, advice: consequence, yes, no }, onYes, onNo) {
      if (!show('question', [question, consequence])) return
      addButton(yes, yes, onYes)
      addButton(no, no, onNo)
    },
    hint(text) {
      show(text === undefined ? 'none' : 'hint', ['', text ?? ''])
    },
    focus() {
      const last = buttons.lastElementChild
      if (last instanceof HTMLElement) last.focus()
    },
  }
}
