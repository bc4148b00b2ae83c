/**
 * The props of the constructs, as their TSDoc says them.
 * @module
 */
import { join } from 'node:path';
import { Project, type PropertySignature, type SourceFile, SyntaxKind } from 'ts-morph';

/** A prop, or an option. */
export interface Prop {
  readonly name: string;
  /** Its type, as one writes it. */
  readonly type: string;
  /** What it is when it is left out, in Markdown. Absent: it has to be given. */
  readonly usual?: string;
  /** What it is for, in Markdown, one line. */
  readonly text: string;
  /** Where there is more: paths from the root of the repository, with anchors. */
  readonly see: readonly string[];
}

/** An interface that users fill in. */
export interface PropsInterface {
  readonly name: string;
  readonly props: readonly Prop[];
  /** Interfaces that it extends, ours alone. */
  readonly bases: readonly string[];
}

/** The interfaces that the package exports. */
export interface PropsReader {
  readonly names: readonly string[];
  /** Reads one. Throws if a prop has no TSDoc, or lacks its `@default`. */
  read(name: string): PropsInterface;
}

/**
 * Parses `constructs/` and the contract, and nothing else; no type is checked: a second or so.
 * @param root of the repository
 */
export function propsReader(root: string): PropsReader {
  const project = new Project({ skipLoadingLibFiles: true, skipFileDependencyResolution: true });
  const files = [
    ...project.addSourceFilesAtPaths(join(root, 'constructs/*.ts')),
    ...project.addSourceFilesAtPaths(join(root, 'runtime/contract/*.ts')),
  ];
  const index = project.getSourceFileOrThrow(join(root, 'constructs/index.ts'));
  const exported = new Set(
    index.getExportDeclarations().flatMap((one) => one.getNamedExports().map((of) => of.getName())),
  );
  const all = files.flatMap((file) => file.getInterfaces()).filter((one) => exported.has(one.getName()));
  const interfaces = new Map(all.map((one) => [one.getName(), one]));
  const types = literalTypes(files);
  return {
    names: [...interfaces.keys()].sort(),
    read: (name) => {
      const declaration = interfaces.get(name);
      if (declaration === undefined) throw new Error(`${name}: constructs/index.ts exports no such interface`);
      const bases = declaration.getExtends().map((base) => base.getExpression().getText());
      const props = declaration.getProperties().map((property) => readProp(property, types));
      return { name, props, bases: bases.filter((base) => interfaces.has(base)) };
    },
  };
}

function readProp(property: PropertySignature, types: ReadonlyMap<string, string>): Prop {
  const where = `${property.getSourceFile().getBaseName()}: ${property.getName()}`;
  const [doc, ...more] = property.getJsDocs();
  if (doc === undefined || more.length > 0) throw new Error(`${where}: has to have one TSDoc comment`);
  const tags = doc.getTags().map((tag) => ({ name: tag.getTagName(), text: tagText(tag.getText()) }));
  const usual = tags.find(({ name }) => name === 'default')?.text;
  if (property.hasQuestionToken() !== (usual !== undefined)) {
    throw new Error(`${where}: what may be left out has a @default in its TSDoc, and what may not has none`);
  }
  return {
    name: property.getName(),
    type: readType(property.getTypeNodeOrThrow().getText(), types),
    ...(usual !== undefined && { usual: usualText(usual) }),
    text: oneLine(doc.getCommentText() ?? doc.getDescription()),
    see: tags.flatMap(({ name, text }) => (name === 'see' ? [text] : [])),
  };
}

/** Of `@default 'step'` the code; of `@default - none` the words; of `@default 'Fail' - why` both. */
function usualText(text: string): string {
  const [, code = '', words = ''] = /^(.*?)(?:(?:^|\s+)- (.*))?$/s.exec(text) ?? [];
  return [code === '' ? '' : `\`${code}\``, words].filter((part) => part !== '').join(': ');
}

/** What follows the tag's name. TypeScript itself takes the first word after `@see` for a name of the program's. */
function tagText(tag: string): string {
  return oneLine(tag.replaceAll(/\n *\*/g, '\n').replace(/^@\w+/, ''));
}

function oneLine(text: string): string {
  return text
    .replaceAll(/\{@link (?:[^}|]*\|\s*)?([^}]*)\}/g, '`$1`')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}

/** What names stand for that are nothing but a few words: `type Delivery = 'auto' | 'native'`, `const TYPES = ['a'] as const`. */
function literalTypes(files: readonly SourceFile[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const constant of files.flatMap((file) => file.getVariableDeclarations())) {
    const list = constant.getInitializerIfKind(SyntaxKind.AsExpression)?.getExpression();
    const words = list?.asKind(SyntaxKind.ArrayLiteralExpression)?.getElements() ?? [];
    if (words.length === 0 || !words.every((word) => word.isKind(SyntaxKind.StringLiteral))) continue;
    found.set(`(typeof ${constant.getName()})[number]`, words.map((word) => word.getText()).join(' | '));
  }
  for (const alias of files.flatMap((file) => file.getTypeAliases())) {
    const text = alias.getTypeNodeOrThrow().getText();
    const words = found.get(text) ?? (/^'[^']*'(?: \| '[^']*')+$/.test(text) ? text : undefined);
    if (words !== undefined) found.set(alias.getName(), words);
  }
  return found;
}

function readType(text: string, types: ReadonlyMap<string, string>): string {
  return (types.get(text) ?? text)
    .replaceAll(/Readonly<(Record<[^<>]*>)>/g, '$1')
    .replaceAll(/\breadonly /g, '')
    .replaceAll(/\s+/g, ' ');
}
