import { join } from 'node:path';
import ts from 'typescript';

/**
 * Types that stand in the public declarations of a package without being exported by it, each with where it stands. Private
 * members show no types.
 */
export function typesNotExported(program: ts.Program, packageDir: string): string[] {
  const checker = program.getTypeChecker();
  const index = program.getSourceFile(join(packageDir, 'dist/index.d.ts'))!;
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(index)!).map(resolve);
  const known = new Set(exported);
  const missing = new Set<string>();
  const seen = new Set<ts.Symbol>();
  for (const symbol of exported) visitSymbol(symbol);
  return [...missing].sort();

  function resolve(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  }

  function visitSymbol(symbol: ts.Symbol): void {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) visit(declaration, symbol.name);
  }

  function visit(node: ts.Node, owner: string): void {
    const isHidden = ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(isPrivate);
    if (isHidden) return;
    const name = typeNameOf(node);
    if (name !== undefined) {
      const symbol = checker.getSymbolAtLocation(name);
      if (symbol !== undefined) noteType(resolve(symbol), owner);
    }
    ts.forEachChild(node, (child) => visit(child, owner));
  }

  function noteType(symbol: ts.Symbol, owner: string): void {
    const [declaration] = symbol.declarations ?? [];
    const file = declaration?.getSourceFile().fileName;
    if (file === undefined || !file.startsWith(packageDir)) return;
    if (ts.isTypeParameterDeclaration(declaration!)) return;
    if (!known.has(symbol)) missing.add(`${symbol.name} (in ${owner})`);
    visitSymbol(symbol);
  }
}

function isPrivate({ kind }: ts.ModifierLike): boolean {
  return kind === ts.SyntaxKind.PrivateKeyword;
}

function typeNameOf(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName;
  if (ts.isExpressionWithTypeArguments(node)) return node.expression;
  return ts.isTypeQueryNode(node) ? node.exprName : undefined;
}
