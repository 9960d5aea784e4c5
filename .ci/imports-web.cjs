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
      from: { path: '^server/web/' },
      to: { pathNot: ['^server/web/', '^client-sdk/(browser|queue)/index[.]ts$'] },
    },
  ],
  options: {
    ...options,
    exclude: { path: ['^(client-sdk/)?dist/', '^server/web/vite.config.ts$'] },
    doNotFollow: { path: [...options.doNotFollow.path, '^client-sdk/'] },
    enhancedResolveOptions: {
      ...options.enhancedResolveOptions,
      conditionNames: ['partway-source', 'browser', 'import', 'default'],
    },
  },
}
