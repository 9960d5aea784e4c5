import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { closeDialog, Modal } from './modal.tsx'
import { ProblemNote } from './panel.tsx'
import { asReplyProblem, type ReplyProblem } from './reply-problem.ts'

interface ConfirmDialogProps {
  title: ComponentChildren
  /** What the button says that does it: `Add`. */
  confirmText: string
  isDanger?: boolean
  act: () => Promise<unknown>
  /** What is true once it was done, as a sentence. */
  doneText: string
  /** `wasTried`: it was done, or nobody knows. */
  onClose: (wasTried: boolean) => void
  /** What it means. */
  children: ComponentChildren
}

/** Says what one thing means, and does it only when told to. */
export function ConfirmDialog({ title, confirmText, isDanger, act, doneText, onClose, children }: ConfirmDialogProps) {
  const [phase, setPhase] = useState<'asked' | 'doing' | 'done'>('asked')
  const [problem, setProblem] = useState<ReplyProblem>()
  const wasTried = useRef(false)
  const close = useRef<HTMLButtonElement>(null)

  // The button that was pressed is gone by then: the keyboard goes on at the one that is left.
  useEffect(() => {
    if (phase === 'done') close.current?.focus()
  }, [phase])

  async function confirm() {
    wasTried.current = true
    setPhase('doing')
    setProblem(undefined)
    try {
      await act()
      setPhase('done')
    } catch (error) {
      setProblem(asReplyProblem(error))
      setPhase('asked')
    }
  }

  return (
    <Modal
      title={title}
      class="action"
      isBusy={phase === 'doing'}
      onClose={() => onClose(wasTried.current)}
      footer={
        <>
          <button ref={close} type="button" onClick={closeDialog} disabled={phase === 'doing'} autofocus>
            {phase === 'done' ? 'Close' : 'Cancel'}
          </button>
          {phase !== 'done' && (
            <button
              type="button"
              class={isDanger ? 'danger main' : 'main'}
              aria-disabled={phase === 'doing'}
              onClick={() => phase === 'asked' && void confirm()}
            >
              {confirmText}
            </button>
          )}
        </>
      }
    >
      {phase !== 'done' && children}
      <p role="status" class="headline">
        {phase === 'doing' ? 'Under way …' : phase === 'done' ? doneText : ''}
      </p>
      {problem && <ProblemNote problem={problem} />}
    </Modal>
  )
}
