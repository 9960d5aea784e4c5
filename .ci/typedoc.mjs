/**
 * The API reference in client-sdk/api, from the docstrings of what `@partway/client` exports (`npm run api`).
 * @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions}
 */
const titles = {
  browser: '@partway/client',
  node: '@partway/client/node',
  queue: '@partway/client/queue',
  'ali-oss': '@partway/client/ali-oss',
}

export default {
  plugin: ['typedoc-plugin-markdown', './typedoc-plugin.mjs'],
  name: '@partway/client',
  entryPoints: Object.keys(titles).map((folder) => `../client-sdk/${folder}/index.ts`),
  tsconfig: 'tsconfig.api.json',
  out: '../client-sdk/api',
  router: 'module',
  readme: 'none',
  disableSources: true,
  excludeExternals: true,
  excludePrivate: true,
  sort: ['source-order'],
  kindSortOrder: ['Function', 'Class', 'Interface', 'TypeAlias', 'Variable', 'Reference'],
  groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Variables', 'References'],
  hideBreadcrumbs: true,
  hidePageHeader: true,
  pageTitleTemplates: { index: ({ projectName }) => `${projectName}: API`, module: ({ name }) => titles[name] ?? name },
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  enumMembersFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  useCodeBlocks: true,
  expandObjects: true,
  validation: { notExported: false, invalidLink: true, notDocumented: false },
}
