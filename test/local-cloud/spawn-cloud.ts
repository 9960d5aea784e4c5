import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LocalCloudOptions } from '../../server/local-cloud/local-cloud.ts'

export interface CloudProcess {
  readonly ossUrl: string
  readonly stsUrl: string
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  rssBytes(): Promise<number>
}

/** Starts a local cloud in a child process, on free ports. Options must survive JSON. */
export async function spawnCloud(options: Partial<LocalCloudOptions>): Promise<CloudProcess> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  const child = fork(path('./cloud-process.ts'), [JSON.stringify(options)], {
    execArgv: ['-C', 'partway-source', '--import', path('../support/typescript-hooks.mjs')],
  })
  const { ossUrl, stsUrl } = await message<{ ossUrl: string; stsUrl: string }>(child)
  return {
    ossUrl,
    stsUrl,
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    rssBytes: async () => {
      const answer = message<{ rssBytes: number }>(child)
      child.send('rss')
      return (await answer).rssBytes
    },
  }
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the cloud process ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (value) => {
      child.off('exit', onExit)
      resolve(value as T)
    })
  })
}
