import { defineConfig } from 'prisma/config'

// `prisma generate` never runs the schema engine, but the CLI insists on having one and would fetch it from
// the network. Naming any existing executable keeps generation offline.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath

export default defineConfig({
  schema: './schema.prisma',
  migrations: { path: './migrations' },
})
