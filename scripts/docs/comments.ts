import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Root of the project, with a slash at its end. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A member of an interface, or a key of a schema, as its source describes it. */
export interface Member {
  name: string;
  isOptional: boolean;
  /** Source text of its type; empty for a key of a schema. */
  type: string;
  /** Its JSDoc comment in one line; empty where it has none. */
  comment: string;
}

/** The declarations of one source file of `src`. */
export class Source {
  private readonly file: ts.SourceFile;

  /** @param path relative to the root */
  constructor(readonly path: string) {
    this.file = ts.createSourceFile(path, readFileSync(root + path, 'utf8'), ts.ScriptTarget.Latest, true);
  }

  /** Names of the members of a union of type names. */
  union(name: string): string[] {
    const type = this.alias(name)?.type;
    if (type === undefined || !ts.isUnionTypeNode(type))
      throw new Error(`${this.path}: expected a union in ${name}`);
    return type.types.map((one) => one.getText());
  }

  /** Comment of a type or of a constant. */
  comment(name: string): string {
    return commentOf(this.interfaceOf(name) ?? this.alias(name) ?? this.constant(name));
  }

  /** Members of an interface, those it extends included. */
  interface(name: string): Member[] {
    const found = this.interfaceOf(name);
    if (found === undefined) throw new Error(`${this.path}: expected an interface ${name}`);
    const inherited = (found.heritageClauses ?? [])
      .flatMap(({ types }) => [...types])
      .flatMap(({ expression }) => this.interface(expression.getText()));
    return [...members(found.members), ...inherited];
  }

  /** Members of a type that is written as an object, the name of an interface, or some of these joined by `&`. */
  membersOf(type: ts.TypeNode): Member[] {
    if (ts.isTypeLiteralNode(type)) return members(type.members);
    if (ts.isIntersectionTypeNode(type)) return type.types.flatMap((one) => this.membersOf(one));
    const name = type.getText();
    return this.interfaceOf(name) === undefined ? [] : this.interface(name);
  }

  /** The members of an interface with the members of the type of each. */
  nested(name: string): { member: Member; members: Member[] }[] {
    return [...this.interfaceOf(name)!.members].filter(ts.isPropertySignature).map((one) => ({
      member: members([one])[0]!,
      members: this.membersOf(one.type!),
    }));
  }

  /** The keys of `export const name = z.object({ … })`. */
  schema(name: string): Member[] {
    const literal = ts.forEachChild(this.constant(name), function find(node): ts.Node | undefined {
      return ts.isObjectLiteralExpression(node) ? node : ts.forEachChild(node, find);
    }) as ts.ObjectLiteralExpression;
    return literal.properties.map((property) => ({
      name: property.name!.getText(),
      isOptional: true,
      type: '',
      comment: commentOf(property),
    }));
  }

  private interfaceOf(name: string): ts.InterfaceDeclaration | undefined {
    return this.file.statements.filter(ts.isInterfaceDeclaration).find((one) => one.name.text === name);
  }

  private alias(name: string): ts.TypeAliasDeclaration | undefined {
    return this.file.statements.filter(ts.isTypeAliasDeclaration).find((one) => one.name.text === name);
  }

  private constant(name: string): ts.VariableStatement {
    const found = this.file.statements
      .filter(ts.isVariableStatement)
      .find(({ declarationList }) => declarationList.declarations.some((one) => one.name.getText() === name));
    if (found === undefined) throw new Error(`${this.path}: expected a constant ${name}`);
    return found;
  }
}

function members(nodes: Iterable<ts.TypeElement>): Member[] {
  return [...nodes].filter(ts.isPropertySignature).map((node) => ({
    name: node.name.getText(),
    isOptional: node.questionToken !== undefined,
    type: node.type?.getText().replace(/\s+/g, ' ') ?? '',
    comment: commentOf(node),
  }));
}

function commentOf(node: ts.Node): string {
  const [jsDoc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).slice(-1);
  return (ts.getTextOfJSDocComment(jsDoc?.comment) ?? '').replace(/\s+/g, ' ').trim();
}
