/**
 * What the programs tell, read from their source: metrics, and the messages of log lines. For tests that compare it with the
 * reference.
 * @module
 */
import { join, relative } from 'node:path';
import { type CallExpression, type Node, Project, SyntaxKind } from 'ts-morph';

const RUNTIME = join(import.meta.dirname, '../../runtime');
const PARTS = ['agent', 'kubernetes', 'lib', 'signer', 'step-ca', 'supervisor', 'webhook'] as const;
type Part = (typeof PARTS)[number];

const TYPES = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['observed', 'gauge'],
  ['seconds', 'histogram'],
]);
const LEVELS = new Map([
  ['warn', 40],
  ['error', 50],
]);

/** A metric where it is made. */
export interface ToldMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly part: Part;
}

/** A message of a line that somebody should see. */
export interface ToldMessage {
  readonly level: number;
  readonly text: string;
}

/** Reads the source of all programs that write structured logs and have metrics. */
export function readTold(): { metrics: readonly ToldMetric[]; messages: readonly ToldMessage[] } {
  const project = new Project({ skipLoadingLibFiles: true, skipFileDependencyResolution: true });
  const files = project.addSourceFilesAtPaths(join(RUNTIME, `{${PARTS.join(',')}}/**/*.ts`));
  const calls = files.flatMap((file) => file.getDescendantsOfKind(SyntaxKind.CallExpression));
  const named = files.flatMap((file) => [
    ...file.getDescendantsOfKind(SyntaxKind.PropertyAssignment),
    ...file.getDescendantsOfKind(SyntaxKind.BindingElement),
  ]);
  const whats = named.filter((of) => of.getName() === 'what').flatMap((of) => of.getInitializer() ?? []);
  const kept = calls.filter((call) => calledAs(call) === 'keep').flatMap((call) => call.getArguments()[0] ?? []);
  const repeated = [...whats, ...kept].flatMap(sentences);
  // `repeat` logs what it cannot do under the name that it is given.
  const messages = [...calls.flatMap(messagesOf), ...repeated.map((text) => ({ level: 40, text }))];
  return { metrics: calls.flatMap(metricsOf), messages };
}

function calledAs(call: CallExpression): string {
  return call.getExpression().getText().split('.').at(-1) ?? '';
}

function metricsOf(call: CallExpression): ToldMetric[] {
  const type = TYPES.get(calledAs(call));
  const [name, , labels] = call.getArguments();
  if (type === undefined || !name?.isKind(SyntaxKind.StringLiteral)) return [];
  const path = relative(RUNTIME, call.getSourceFile().getFilePath());
  const part = PARTS.find((one) => path.startsWith(`${one}/`));
  if (part === undefined) throw new Error(`${path}: a metric in a part that is not known`);
  return [{ name: `autocert_${name.getLiteralText()}`, type, labels: labelsOf(labels), part }];
}

/** A list of words, or a constant that is one. */
function labelsOf(node: Node | undefined): readonly string[] {
  if (node?.isKind(SyntaxKind.Identifier)) {
    const declarations = node.getSourceFile().getDescendantsOfKind(SyntaxKind.VariableDeclaration);
    const declaration = declarations.find((of) => of.getName() === node.getText());
    return labelsOf(declaration?.getInitializer()?.getFirstDescendantByKind(SyntaxKind.ArrayLiteralExpression));
  }
  const words = node?.asKind(SyntaxKind.ArrayLiteralExpression)?.getElements() ?? [];
  return words.map((word) => word.asKindOrThrow(SyntaxKind.StringLiteral).getLiteralText());
}

function messagesOf(call: CallExpression): ToldMessage[] {
  const level = LEVELS.get(calledAs(call));
  const [, message] = call.getArguments();
  if (level === undefined || message === undefined) return [];
  return sentences(message).map((text) => ({ level, text }));
}

/** The texts that an expression may be: both of `a ? 'b' : 'c'`. */
function sentences(expression: Node): readonly string[] {
  if (expression.isKind(SyntaxKind.ConditionalExpression)) {
    return [expression.getWhenTrue(), expression.getWhenFalse()].flatMap(sentences);
  }
  return expression.isKind(SyntaxKind.StringLiteral) ? [expression.getLiteralText()] : [];
}
