import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'

interface ModalProps {
  title: ComponentChildren
  class?: string
  /** Called once, however it was closed. */
  onClose: () => void
  /** Something is being done that closing would not undo: nothing closes it meanwhile. */
  isBusy?: boolean
  /** Below what scrolls. */
  footer: ComponentChildren
  children: ComponentChildren
}

/** The browser's own dialog: it keeps the keyboard inside, closes with Escape, and gives the keyboard back to where it was. */
export function Modal({ title, class: name = '', onClose, isBusy = false, footer, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const opened = dialog.current
    opened?.showModal()
    // Where the component is taken away without being closed (the token was refused), the page behind must not stay inert.
    return () => opened?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      class={name}
      aria-labelledby={id}
      onClose={onClose}
      // For browsers that let a second Escape pass whatever the first was answered.
      closedby={isBusy ? 'none' : 'closerequest'}
      onCancel={(event) => isBusy && event.preventDefault()}
    >
      <header>
        <h2 id={id}>{title}</h2>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must be able to scroll it as well */}
      <section class="body" aria-labelledby={id} tabIndex={0}>
        {children}
      </section>
      <footer class="buttons">{footer}</footer>
    </dialog>
  )
}

/** Closes the dialog that `event` came from, which then says so itself. */
export function closeDialog(event: Event): void {
  if (event.currentTarget instanceof Element) event.currentTarget.closest('dialog')?.close()
}
