import { afterAll } from 'vitest'
import { stopWatching } from './secret-watch.ts'

/* Runs after everything else in each test file: whatever was not looked through yet, or was found by nobody's close, fails the file. */
afterAll(() => stopWatching())
