import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

const engineInBrowsers = 'src/runtime/engine-web.ts'

/** What some modules import when they run, directly and through others. */
export interface Closure {
  /** Sources of this repository, as paths from its root, each with the source that imported it first. */
  readonly files: ReadonlyMap<string, string>
  /** Everything else, packages and `node:*`, by specifier, each with a source that imports it. */
  readonly packages: ReadonlyMap<string, string>
}

/** Walks the imports that remain at run time, dynamic ones included, with `#engine` as browsers resolve it. */
export function importsOf(entries: readonly string[]): Closure {
  const files = new Map(entries.map((entry) => [entry, 'the test']))
  const packages = new Map<string, string>()
  // A Map's iteration visits what is added meanwhile.
  for (const file of files.keys()) {
    for (const specifier of runtimeImports(file)) {
      const target = specifier === '#engine' ? engineInBrowsers : relativeTarget(file, specifier)
      if (target === undefined) packages.set(specifier, packages.get(specifier) ?? file)
      else if (!files.has(target)) files.set(target, file)
    }
  }
  return { files, packages }
}

/** What is left when types are erased, under the compiler's verbatimModuleSyntax. */
function runtimeImports(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(resolve(root, file), 'utf8'), ts.ScriptTarget.Latest)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier !== undefined && ts.isStringLiteral(specifier)) found.push(specifier.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node)) return node.importClause?.isTypeOnly ? undefined : node.moduleSpecifier
  if (ts.isExportDeclaration(node)) return node.isTypeOnly ? undefined : node.moduleSpecifier
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0]
  return undefined
}

function relativeTarget(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, '.ts')
}

/** How the names of a package's modules begin: `zod` of `zod/mini`, `@a/b` of `@a/b/c`. */
export function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
