// A server that kills itself, as `kill -9` would, at the crash point named by its argument. Runs the build, like the servers beside it.
import { crashAt, crashPoints } from '../../dist/server/crash-points.js'
import { createApp, createDeps, loadConfig } from '../../dist/server/index.js'

const point = process.argv[2]
if (!crashPoints.includes(point)) throw new Error(`no crash point ${point}`)
const config = loadConfig()
const deps = createDeps(config, { passed: crashAt(point) })
createApp(deps).listen(config.http.port, config.http.host)
