import { join } from 'node:path';
import ts from 'typescript';

/** How a project may resolve modules, with the `module` that goes with it. */
export const resolutions = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const;

/** The settings of a strict project that checks declarations too. */
export function settings(resolution: keyof typeof resolutions): ts.CompilerOptions {
  return {
    ...resolutions[resolution],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    noImplicitOverride: true,
    skipDefaultLibCheck: true, // the compiler's own declarations, which take long and are not ours
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    types: ['node'],
  };
}

const parsed = new Map<string, ts.SourceFile | undefined>();

/** Type-checks files of a project. Returns every error, with its file. */
export function typeErrors(dir: string, names: readonly string[], options: ts.CompilerOptions): string[] {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getCurrentDirectory = () => dir;
  // Declarations are the same in each program, and parsing them takes most of the time.
  host.getSourceFile = (name, version, ...others) => {
    const key = `${name} ${typeof version === 'object' ? version.impliedNodeFormat : version}`;
    if (!parsed.has(key)) parsed.set(key, read(name, version, ...others));
    return parsed.get(key);
  };
  const program = ts.createProgram({ rootNames: names.map((name) => join(dir, name)), options, host });
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    const { file, start = 0 } = diagnostic;
    const line = file === undefined ? '' : `:${file.getLineAndCharacterOfPosition(start).line + 1}`;
    return `${file?.fileName.replace(dir, '') ?? ''}${line} ${message}`;
  });
}
