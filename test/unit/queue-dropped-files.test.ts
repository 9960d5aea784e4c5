import { type DroppedItems, type FolderFile, filesOfDrop, filesOfInput } from '@partway/client/queue'
import { describe, expect, it } from 'vitest'

/** A folder as a browser shows it: entries by callback, at most 100 at a time, and only once somebody reads. */
type Tree = { [name: string]: Tree | string | Error }

function entryOf(name: string, content: Tree | string | Error, parent = ''): FileSystemEntry {
  const fullPath = `${parent}/${name}`
  if (typeof content === 'string' || content instanceof Error) {
    const file = (resolve: (file: File) => void, reject: (error: unknown) => void) =>
      setImmediate(() => (typeof content === 'string' ? resolve(new File([content], name)) : reject(content)))
    return { isFile: true, isDirectory: false, name, fullPath, file } as unknown as FileSystemEntry
  }
  const createReader = () => {
    const left = Object.entries(content)
    const readEntries = (resolve: (entries: FileSystemEntry[]) => void, reject: (error: unknown) => void) =>
      setImmediate(() => {
        const batch = left.splice(0, 100)
        const failed = batch.find(([key]) => key === 'unreadable')?.[1]
        if (failed) reject(failed)
        else resolve(batch.map(([key, value]) => entryOf(key, value, fullPath)))
      })
    return { readEntries }
  }
  return { isFile: false, isDirectory: true, name, fullPath, createReader } as unknown as FileSystemEntry
}

/** What is dropped is there only until the handler returns, as in a browser. */
function drop(tree: Tree): { dropped: DroppedItems; handlerReturns(): void } {
  let isOver = false
  const items = Object.entries(tree).map(([name, content]) => ({
    getAsFile: () => null,
    webkitGetAsEntry: () => (isOver ? null : entryOf(name, content)),
  }))
  const text = { getAsFile: () => null, webkitGetAsEntry: () => null }
  return {
    dropped: { items: [text, ...items], files: [] },
    handlerReturns: () => {
      isOver = true
    },
  }
}

async function listOf(files: AsyncIterable<FolderFile>): Promise<string[]> {
  const names: string[] = []
  for await (const { fileName, source } of files) names.push(`${fileName}: ${await source.text()}`)
  return names
}

describe('dropped files', () => {
  it('come with those in folders, under their paths, though the handler has long returned', async () => {
    const { dropped, handlerReturns } = drop({
      'a.txt': 'one',
      photos: { '2024': { 'b.jpg': 'two', empty: {} }, 'c.jpg': 'three' },
    })
    const files = filesOfDrop(dropped)
    handlerReturns()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await listOf(files)).sort()).toEqual(['a.txt: one', 'photos/2024/b.jpg: two', 'photos/c.jpg: three'])
  })

  it('come all, from folders that a browser reads in pieces of 100', async () => {
    const names = Array.from({ length: 345 }, (_, index) => `${index}.txt`)
    const { dropped } = drop({ many: Object.fromEntries(names.map((name) => [name, name])) })
    const list = await listOf(filesOfDrop(dropped))
    expect(list).toEqual(names.map((name) => `many/${name}: ${name}`))
  })

  it('come without the ones that cannot be read, which are reported', async () => {
    const gone = new Error('gone')
    const locked = new Error('locked')
    const { dropped } = drop({ one: { a: 'a', b: gone, c: 'c', sub: { unreadable: locked } }, two: { d: 'd' } })
    const problems: { path: string; error: unknown }[] = []
    const list = await listOf(filesOfDrop(dropped, { onError: (problem) => problems.push(problem) }))
    expect(list).toEqual(['one/a: a', 'one/c: c', 'two/d: d'])
    expect(problems).toEqual([
      { path: 'one/b', error: gone },
      { path: 'one/sub', error: locked },
    ])
    const deaf = filesOfDrop(dropped, {
      onError() {
        throw new Error('a display broke')
      },
    })
    expect(await listOf(deaf)).toEqual(list)
  })

  it('come from browsers that know no entries, and from drops that know no items', async () => {
    const file = new File(['x'], 'plain.txt')
    const items = [{ getAsFile: () => file }]
    expect(await listOf(filesOfDrop({ items, files: [] }))).toEqual(['plain.txt: x'])
    expect(await listOf(filesOfDrop({ files: [file] }))).toEqual(['plain.txt: x'])
    expect(await listOf(filesOfDrop(null))).toEqual([])
  })
})

describe('the files of an input', () => {
  it('keep the path of the folder that was chosen', () => {
    const inFolder = Object.assign(new File([''], 'a.jpg'), { webkitRelativePath: 'photos/2024/a.jpg' })
    const alone = new File([''], 'b.jpg')
    expect(filesOfInput([inFolder, alone])).toEqual([
      { source: inFolder, fileName: 'photos/2024/a.jpg' },
      { source: alone, fileName: 'b.jpg' },
    ])
  })
})
