import { sizeText } from '../shared/figures.ts'
import { shownName } from './words.ts'

export interface BarRow {
  key: string
  name: string
  /** Of the middle column. */
  figure: string
  bytes: number
  hint?: string
  onClick?: () => void
  /** A second thing to do about it, at the line's end; `label` says of what. */
  aside?: { text: string; label: string; onClick: () => void }
}

interface BarTableProps {
  /** For those who do not see it beside its heading. */
  caption: string
  heads: readonly [string, string, string]
  rows: readonly BarRow[]
}

/** A bar chart that is a table: each row's bar is as long as its bytes are many, and the numbers stand beside it. */
export function BarTable({ caption, heads, rows }: BarTableProps) {
  const most = Math.max(1, ...rows.map(({ bytes }) => bytes))
  return (
    <table class="bars">
      <caption class="unseen">{caption}</caption>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, name, figure, bytes, hint, onClick, aside }) => (
          <tr key={key}>
            <th scope="row">
              <span class="line">
                {onClick ? (
                  <button type="button" class="link name" onClick={onClick} title={hint}>
                    <bdi>{shownName(name)}</bdi>
                  </button>
                ) : (
                  name
                )}
                {aside && (
                  <button type="button" class="link quiet" onClick={aside.onClick} aria-label={aside.label}>
                    {aside.text}
                  </button>
                )}
              </span>
              <span class="bar" aria-hidden="true">
                <span style={{ width: `${(bytes / most) * 100}%` }} />
              </span>
            </th>
            <td>{figure}</td>
            <td>{sizeText(bytes)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
