import { Comment, Converter, ReflectionKind, TypeScript as ts } from 'typedoc'
import * as contract from '../client-sdk/dist/contract/index.js'

const schemas = new Map(Object.entries(contract))

/** What is said on top of each page. */
const introductions = {
  browser:
    "`import … from '@partway/client'` in a web page. In Node the same name means [@partway/client/node](node.md).",
  node: "`import … from '@partway/client/node'`, or `'@partway/client'` in Node. Beside what is here it has all of [the browsers’ entry](browser.md) but the ports for browsers.",
  queue: "`import … from '@partway/client/queue'`, for web pages and for Node.",
  'ali-oss':
    "`import … from '@partway/client/ali-oss'`, for web pages and for Node that keep the official client ali-oss 6 and want its credentials from Partway.",
}

/** Shows types by the names their author gave them, wire types with the descriptions of their schemas, and everything once. */
export function load({ converter }) {
  converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (reflection.kindOf(ReflectionKind.Property)) {
      const { type, questionToken } = declarationOf(context, reflection, isProperty) ?? {}
      const written = type && questionToken ? withoutUndefined(type) : type
      if (written && (ts.isTypeReferenceNode(written) || (ts.isUnionTypeNode(written) && !questionToken))) {
        reflection.type = converter.convertType(context.withScope(reflection), written)
      }
    }
    if (!reflection.kindOf(ReflectionKind.TypeAlias)) return
    context.converter.deferConversion(() => {
      const alias = declarationOf(context, reflection, ts.isTypeAliasDeclaration)
      if (!alias || !isOfZod(reflection.type) || reflection.typeParameters) return
      reflection.type = converter.convertType(context.withScope(reflection), context.checker.getTypeAtLocation(alias))
      describe(reflection, schemas.get(reflection.name))
    })
  })

  // As they are written: the compiler has resolved an `Upload` to all of its fields, wherever it is used.
  converter.on(Converter.EVENT_CREATE_SIGNATURE, (context, signature, declaration) => {
    const typeOf = (node) => converter.convertType(context.withScope(signature), node)
    if (declaration?.type && ts.isTypeReferenceNode(declaration.type)) signature.type = typeOf(declaration.type)
    for (const [index, parameter] of (signature.parameters ?? []).entries()) {
      const { type } = declaration?.parameters?.[index] ?? {}
      if (type && !ts.isTypeLiteralNode(type)) parameter.type = typeOf(type)
    }
  })

  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) {
      module.comment = new Comment([{ kind: 'text', text: introductions[module.name] ?? '' }])
      const names = new Set()
      for (const child of [...(module.children ?? [])]) {
        // A schema and its type have one name, and only the type is exported.
        if (child.isReference() || names.has(child.name)) project.removeReflection(child)
        names.add(child.name)
      }
    }
  })
  converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const reflection of Object.values(project.reflections)) {
      if (reflection.inheritedFrom) project.removeReflection(reflection)
    }
  })
}

const isProperty = (node) => ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)
/** The question mark says it already. */
function withoutUndefined(type) {
  if (!ts.isUnionTypeNode(type)) return type
  const rest = type.types.filter(({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword)
  return rest.length === 1 ? rest[0] : type
}

const isOfZod = (type) => type?.type === 'reference' && type.package === 'zod'

function declarationOf(context, reflection, isWanted) {
  return context.getSymbolFromReflection(reflection)?.getDeclarations()?.find(isWanted)
}

/** Unit and bounds are said once, in the schema. */
function describe(alias, schema) {
  alias.comment ??= commentOf(schema)
  for (const property of alias.type?.declaration?.children ?? []) {
    property.comment ??= commentOf(schema?.shape?.[property.name])
    delete property.defaultValue
  }
}

function commentOf(schema) {
  const text = schema?.meta?.()?.description ?? schema?.def?.innerType?.meta()?.description
  return text ? new Comment([{ kind: 'text', text }]) : undefined
}
