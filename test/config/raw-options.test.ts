import { fileURLToPath } from 'node:url';
import { posix, relative } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
// The number of files is what it costs to follow an option from the call to the value that is used (`npx vitest run
// test/config/raw-options.test.ts`).

/** What has been read: what it holds is no longer as the user gave it. */
const parsed = new Set([
  ...['ParsedConfig', 'TrainingConfig', 'AdaptiveLossConfig', 'UploadConfig', 'PeftConfig', 'DatasetPlan'],
  ...['ConfigReader', 'ConfigFault', 'ConfigWarning'],
]);

/** Follows a parameter by its type and by where it is passed, and gives the files that look at it before it is parsed. */
function filesThatReadRaw(entry: string, functionName: string, parameter: string): string[] {
  const settings = ts.readConfigFile(posix.join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(settings.config, ts.sys, root);
  const program = ts.createProgram([posix.join(root, entry)], options);
  const checker = program.getTypeChecker();
  const sources = program
    .getSourceFiles()
    .filter(({ fileName }) => relative(root, fileName).startsWith('src'));
  const raw = new Set<ts.Symbol>();
  const names = new Set<string>(); // theirs: most identifiers are passed over without asking the checker
  const files = new Set<string>();

  const isRaw = (type: ts.Type, depth = 0): boolean => {
    if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.NonPrimitive)) return true;
    if (type.isUnionOrIntersection()) return type.types.some((one) => isRaw(one, depth));
    if (!(type.flags & ts.TypeFlags.Object) || depth > 3) return false;
    const called = [type.aliasSymbol?.name, type.symbol?.name];
    if (called.some((name) => name !== undefined && parsed.has(name))) return false;
    if (called.some((name) => /Input$|^TrainAdaptivelyOptions$/.test(name ?? ''))) return true;
    if (type.getCallSignatures().length > 0) return false;
    const isLibrary = type.symbol?.declarations?.some((one) => !sources.includes(one.getSourceFile()));
    const inside = isLibrary
      ? [...checker.getTypeArguments(type as ts.TypeReference), type.getStringIndexType()]
      : [type.getStringIndexType(), ...type.getProperties().map((one) => checker.getTypeOfSymbol(one))];
    return inside.some((one) => one !== undefined && one !== type && isRaw(one, depth + 1));
  };

  const symbolOf = (node: ts.Node) => {
    const parent = node.parent as ts.Node | undefined;
    if (parent !== undefined && ts.isShorthandPropertyAssignment(parent))
      return checker.getShorthandAssignmentValueSymbol(parent);
    return checker.getSymbolAtLocation(node);
  };
  /** Whether an expression is made of what was given. Functions in it are not looked into. */
  const mentions = (node: ts.Node): boolean => {
    if (ts.isFunctionLike(node)) return false;
    if (ts.isIdentifier(node)) {
      if (!names.has(node.text)) return false;
      const symbol = symbolOf(node);
      return symbol !== undefined && raw.has(symbol);
    }
    return ts.forEachChild(node, mentions) ?? false;
  };
  const isRawExpression = (node: ts.Expression) => mentions(node) && isRaw(checker.getTypeAtLocation(node));

  const mark = (name: ts.BindingName) => {
    if (!ts.isIdentifier(name)) {
      for (const element of name.elements) if (ts.isBindingElement(element)) mark(element.name);
      return;
    }
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol === undefined || !isRaw(checker.getTypeAtLocation(name))) return;
    raw.add(symbol);
    names.add(symbol.name);
    const declaration = name.parent;
    if (ts.isParameter(declaration) && ts.isParameterPropertyDeclaration(declaration, declaration.parent))
      for (const one of checker.getSymbolsOfParameterPropertyDeclaration(declaration, name.text))
        raw.add(one);
  };
  const follow = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && isRawExpression(node.initializer))
      mark(node.name);
    if (
      ts.isForOfStatement(node) &&
      mentions(node.expression) &&
      ts.isVariableDeclarationList(node.initializer)
    )
      for (const one of node.initializer.declarations) mark(one.name);
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const declaration = checker.getResolvedSignature(node)?.declaration;
      const callee = ts.isPropertyAccessExpression(node.expression) && mentions(node.expression.expression);
      node.arguments?.forEach((argument, index) => {
        const passed = declaration?.parameters.at(Math.min(index, declaration.parameters.length - 1));
        if (passed && ts.isParameter(passed) && isRawExpression(argument)) mark(passed.name);
        if (callee && (ts.isArrowFunction(argument) || ts.isFunctionExpression(argument)))
          for (const one of argument.parameters) mark(one.name);
      });
    }
    if (ts.isIdentifier(node) && mentions(node)) files.add(relative(root, node.getSourceFile().fileName));
    ts.forEachChild(node, follow);
  };

  const start = sources.find(({ fileName }) => relative(root, fileName) === entry)!;
  start.forEachChild((node) => {
    if (ts.isFunctionDeclaration(node) && node.name?.text === functionName)
      for (const one of node.parameters) if (one.name.getText() === parameter) mark(one.name);
  });
  for (let before = -1; before < raw.size;) {
    before = raw.size;
    for (const source of sources) follow(source);
  }
  return [...files].map((file) => file.replaceAll('\\', '/')).sort();
}

it('options are looked at as they were given in src/config alone', { timeout: 300_000 }, () => {
  const files = filesThatReadRaw('src/train-adaptively.ts', 'trainAdaptively', 'options');
  const config = files.filter((file) => file.startsWith('src/config/'));
  // What tells any value in words, and what tells an object from an array, serve others too.
  const beside = ['src/common/describe-value.ts', 'src/common/is-plain-object.ts', 'src/train-adaptively.ts'];
  expect(files.filter((file) => !config.includes(file))).toEqual(beside);
  // Each reads a part of its own. Another file here is one more to walk through for whoever follows an option.
  expect(config).toContain('src/config/read/read-training-config.ts');
  expect(config.length).toBeLessThanOrEqual(18);
});
