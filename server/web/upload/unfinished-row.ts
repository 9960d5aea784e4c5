import type { Upload } from '@partway/client'
import { copyOf, element, setText } from '../shared/element.ts'
import { durationText, percentOf, sizeText } from '../shared/figures.ts'
import { createPartsStrip } from '../shared/parts-strip.ts'
import { createNote } from './note.ts'

export interface UnfinishedActions {
  /** Opens the file, by its handle or the user's choice. Undefined when there is none. */
  onAgain(upload: Upload): void
  /** Resolves when the upload is discarded. */
  onDiscard(upload: Upload): Promise<void>
}

/** One upload that the server still waits for, and that nobody sends here. */
export interface UnfinishedRow {
  readonly root: HTMLLIElement
  /** Shows what the server knows by now. */
  show(upload: Upload): void
  /** A file was given for it that cannot be its own. */
  refuse(file: File | undefined): void
}

/** With `isOneClick` the browser knows where the file is; otherwise the user chooses it again. */
export function createUnfinishedRow(
  template: HTMLTemplateElement,
  upload: Upload,
  isOneClick: boolean,
  actions: UnfinishedActions,
): UnfinishedRow {
  const root = copyOf(template)
  const find = (selector: string) => element(root, selector, HTMLElement)
  const note = createNote(find('.note'))
  const { fileName, sizeBytes } = upload
  const bar = find('.strip')
  const strip = createPartsStrip(element(root, 'canvas', HTMLCanvasElement))
  setText(find('.name bdi'), fileName)
  bar.setAttribute('aria-label', fileName)

  function show({ storedBytes, expiresAt, storedPartRanges }: Upload) {
    const percent = percentOf(storedBytes, sizeBytes)
    setText(find('.state'), `${percent}% of ${sizeText(sizeBytes)} stored`)
    setText(find('.rate'), `kept for ${durationText((Date.parse(expiresAt) - Date.now()) / 1000)} more`)
    bar.setAttribute('aria-valuenow', `${percent}`)
    const stored = new Set<number>()
    for (const [first, last] of storedPartRanges) for (let number = first; number <= last; number++) stored.add(number)
    strip.draw({ ...upload, isStored: (number) => stored.has(number), sentBytes: () => 0, mood: 'resting' })
  }
  show(upload)

  const [again, discard] = [find('.again'), find('.discard')]
  function offer(verb: string) {
    setText(again, verb)
    again.setAttribute('aria-label', `${verb}: ${fileName}`)
  }
  offer(isOneClick ? 'Continue' : 'Choose the file again')
  again.addEventListener('click', () => actions.onAgain(upload))
  discard.title = 'Discard'
  discard.setAttribute('aria-label', `Discard: ${fileName}`)
  discard.addEventListener('click', () => {
    note.ask(discardQuestion, remove, () => {
      note.hint(undefined)
      discard.focus()
    })
    note.focus()
  })

  function remove() {
    note.hint('Discarding …')
    actions.onDiscard(upload).catch((error: unknown) => {
      note.hint(`It could not be discarded: ${error instanceof Error ? error.message : String(error)}`)
    })
  }

  return {
    root,
    show,
    refuse(file) {
      offer('Choose the file again')
      note.hint(
        file
          ? `That is another file: ${file.name} has ${sizeText(file.size)} (${file.size.toLocaleString('en')} bytes), and this upload is of ${sizeBytes.toLocaleString('en')} bytes. Choose the same file, or add the other one above.`
          : 'The file is not where it was, or this page was not allowed to read it. Choose it again.',
      )
    },
  }
}

const discardQuestion = {
  title: 'Discard this upload?',
  advice: 'What is stored of it so far is deleted.',
  yes: 'Discard',
  no: 'Keep it',
}
