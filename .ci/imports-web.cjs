const { forbidden, options } = require('./imports.cjs')

/**
 * The same for the web pages, whose imports are resolved as for a browser: they use the published SDK as anybody's page would.
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    ...forbidden.filter(({ name }) => ['no-cycle', 'unresolvable'].includes(name)),
    {
      name: 'pages-use-the-sdk-only',
      severity: 'error',
      from: { path: '^server/web/(shared|upload)/' },
      to: { pathNot: ['^server/web/(shared|upload)/', '^client-sdk/(browser|queue)/index[.]ts$'] },
    },
    {
      name: 'the-admin-page-takes-only-types-of-the-contract',
      severity: 'error',
      from: { path: '^server/web/admin/' },
      to: {
        pathNot: ['^server/web/(shared|admin)/', '^node_modules/(preact|uplot)/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'the-admin-page-knows-nothing-else',
      severity: 'error',
      from: { path: '^server/web/admin/' },
      to: {
        pathNot: ['^server/web/(shared|admin)/', '^node_modules/(preact|uplot)/', '^client-sdk/contract/index[.]ts$'],
      },
    },
  ],
  options: {
    ...options,
    exclude: { path: ['^(client-sdk/)?dist/', '^server/web/(page-build|.*/vite[.]config)[.]ts$'] },
    doNotFollow: { path: [...options.doNotFollow.path, '^client-sdk/'] },
    enhancedResolveOptions: {
      ...options.enhancedResolveOptions,
      conditionNames: ['partway-source', 'browser', 'import', 'default'],
    },
  },
}
