import type { UploadNews } from '../upload-locks.ts'

/** News of uploads between the tabs of this origin, and between the tasks of this one. */
export interface NewsChannels {
  /** Whether this tab sends the file: a channel that was opened to tell of it stays open meanwhile. */
  held(name: string, isHeld: boolean): void
  tell(name: string, news: UploadNews): void
  listen(name: string, onNews: (news: UploadNews) => void): () => void
}

interface Channel {
  /** Undefined where the browser has none: then tabs know nothing of each other. */
  wire: BroadcastChannel | undefined
  hearers: Set<(news: UploadNews) => void>
}

/** A channel is open while this tab sends the file or listens. */
export function createNewsChannels(): NewsChannels {
  const channels = new Map<string, Channel>()
  const heldNames = new Set<string>()

  function open(name: string): Channel {
    const known = channels.get(name)
    if (known) return known
    const channel: Channel = { wire: openWire(name), hearers: new Set() }
    if (channel.wire) {
      channel.wire.onmessage = ({ data }) => {
        const news = asNews(data)
        if (news) for (const hear of channel.hearers) hear(news)
      }
    }
    channels.set(name, channel)
    return channel
  }

  function closeIfUnused(name: string) {
    const channel = channels.get(name)
    if (!channel || heldNames.has(name) || channel.hearers.size > 0) return
    channel.wire?.close()
    channels.delete(name)
  }

  return {
    held(name, isHeld) {
      if (isHeld) heldNames.add(name)
      else heldNames.delete(name)
      closeIfUnused(name)
    },
    tell(name, news) {
      const { wire, hearers } = open(name)
      wire?.postMessage(news)
      // A channel does not hear itself.
      for (const hear of hearers) hear(news)
      closeIfUnused(name)
    },
    listen(name, onNews) {
      open(name).hearers.add(onNews)
      return () => {
        channels.get(name)?.hearers.delete(onNews)
        closeIfUnused(name)
      }
    },
  }
}

function openWire(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(`partway:${name}`)
  } catch {
    return undefined
  }
}

/** Anything of this origin may write into the channel. */
function asNews(value: unknown): UploadNews | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, currentBytes, totalBytes, bytesPerSecond, etaSeconds } = value as Partial<UploadNews>
  const isCount = (count: unknown): count is number => Number.isFinite(count) && Number(count) >= 0
  if (typeof id !== 'string' || !isCount(currentBytes) || !isCount(totalBytes) || !isCount(bytesPerSecond))
    return undefined
  if (etaSeconds !== null && !isCount(etaSeconds)) return undefined
  return { id, currentBytes, totalBytes, bytesPerSecond, etaSeconds }
}
