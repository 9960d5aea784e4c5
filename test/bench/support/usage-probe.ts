import { ownUsage, resetPeakRss } from './usage.ts'

/* `node --import usage-probe.js SCRIPT` lets the parent ask what the process has used. The script knows nothing of it. */

process.on('message', (question) => {
  if (question === 'usage') process.send?.({ usage: ownUsage() })
  if (question === 'reset peak') resetPeakRss()
})
// The script ends when it has nothing to do, as without the probe.
process.channel?.unref()
