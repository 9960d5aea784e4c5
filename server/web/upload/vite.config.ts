import { pageBuild } from '../page-build.ts'

export default pageBuild('upload')
