import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** What importing a file loads at once: files of src, and packages. Imports of types and `import()` load nothing yet. */
function loadedBy(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    if (statement.moduleSpecifier === undefined || isOfTypes(statement)) continue;
    const name = (statement.moduleSpecifier as ts.StringLiteral).text;
    if (name.startsWith('.')) loadedBy(posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts'), loaded);
    else if (!name.startsWith('node:')) loaded.add(name);
  }
  return loaded;
}

function isOfTypes(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  const { phaseModifier, namedBindings, name } = statement.importClause ?? {};
  if (phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = namedBindings !== undefined && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  return name === undefined && named.length > 0 && named.every(({ isTypeOnly }) => isTypeOnly);
}

describe('the start of the command', () => {
  it('loads what parses it, and nothing that computes', () => {
    const loaded = [...loadedBy('src/cli/main.ts')];
    expect(loaded).toEqual(expect.arrayContaining(['src/cli/commands/train.ts', 'commander']));
    const packages = loaded.filter((name) => !name.startsWith('src/'));
    expect(
      packages.filter((name) => !['commander', 'picocolors', 'fast-string-width'].includes(name)),
    ).toEqual([]);
    // Reading JSON with line and column is all that there is of data.
    const rooms = new Set(
      loaded
        .filter((name) => !name.startsWith('src/data/read/'))
        .map((name) => name.split('/').slice(0, 2).join('/')),
    );
    for (const room of ['engine', 'hub', 'tokenizer', 'model', 'data', 'trainer', 'trackers', 'validate'])
      expect(rooms).not.toContain(`src/${room}`);
  });
});
