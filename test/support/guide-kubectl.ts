/**
 * Whether a kubectl command of a guide can be right: its verb, its flags, its kinds, the files that it names, and the objects
 * of Autocert that it names, which have to be those of dist/ or of the PKI.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { PkiObject } from '../../runtime/contract.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Flags that take no value, and those that do; of all verbs. */
const SWITCHES = [
  ...[
    '-A',
    '-i',
    '-it',
    '-k',
    '-p',
    '--all-namespaces',
    '--all-pods',
    '--force',
    '--force-conflicts',
    '--ignore-not-found',
  ],
  ...['--no-headers', '--overwrite', '--previous', '--rm', '--server-side', '--watch', '-w', '--wait'],
];
const VALUES = [
  ...[
    '-n',
    '-l',
    '-L',
    '-o',
    '-c',
    '-f',
    '--context',
    '--field-selector',
    '--for',
    '--from-file',
    '--from-literal',
    '--image',
  ],
  ...[
    '--namespace',
    '--restart',
    '--selector',
    '--sort-by',
    '--tail',
    '--timeout',
    '--type',
    '--replicas',
    '--clusterrole',
  ],
  ...[
    '--serviceaccount',
    '--user',
    '--docker-server',
    '--docker-username',
    '--docker-password',
    '--dry-run',
    '--since',
    '-p',
  ],
];
/** Verbs, and where the kind of what they are about is: as their first word, or their second. */
const VERBS = new Map<string, 'kind' | 'after' | 'pod' | 'none'>([
  ...['get', 'delete', 'describe', 'label', 'annotate', 'patch', 'scale', 'wait', 'edit'].map(
    (verb) => [verb, 'kind'] as const,
  ),
  ...['rollout', 'set'].map((verb) => [verb, 'after'] as const),
  ...['logs', 'exec', 'port-forward'].map((verb) => [verb, 'pod'] as const),
  ...['apply', 'create', 'diff', 'run', 'version', 'cluster-info', 'api-resources', 'debug'].map(
    (verb) => [verb, 'none'] as const,
  ),
]);
/** Kinds in the singular, of those that guides name. */
const KINDS = [
  ...['pod', 'node', 'namespace', 'service', 'secret', 'configmap', 'event', 'deployment', 'statefulset', 'daemonset'],
  ...['replicaset', 'job', 'cronjob', 'lease', 'networkpolicy', 'poddisruptionbudget', 'serviceaccount', 'role'],
  ...['rolebinding', 'clusterrole', 'clusterrolebinding', 'persistentvolumeclaim', 'mutatingwebhookconfiguration'],
  ...['validatingadmissionpolicy', 'validatingadmissionpolicybinding', 'mutatingadmissionpolicy'],
  ...['mutatingadmissionpolicybinding', 'clustertrustbundle', 'podcertificaterequest', 'pv', 'pvc'],
];

const singular = (kind: string) =>
  kind
    .toLowerCase()
    .replace(/(?<=polic)ies$/, 'y')
    .replace(/(?<!s)s$/, '');
const isKind = (word: string) => KINDS.includes(singular(word));
const isPlaceholder = (word: string) => /[$…]|^[A-Z]+$/.test(word);

/** Objects of Autocert's namespace and of the cluster, as `kind/name`. */
const OURS = new Set([
  ...readdirSync(join(ROOT, 'dist'))
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(ROOT, 'dist', file), 'utf8')).map((document) => document.toJS()),
    )
    .map(({ kind, metadata }) => `${String(kind).toLowerCase()}/${metadata.name}`),
  ...Object.values(PkiObject).flatMap((name) => [`secret/${name}`, `configmap/${name}`]),
  // What runs, or is made by hand or by the program while it runs.
  ...['pod/ca-0', 'lease/autocert-signer', 'clusterrolebinding/autocert-init-binding'],
  // Of the Go original: docs/migration.md removes it.
  ...['mutatingwebhookconfiguration/autocert-webhook-config', 'clusterrole/autocert-controller'],
]);

/** What is wrong with the arguments of kubectl; nothing if nothing is. */
export function kubectlProblem(args: readonly string[]): string | undefined {
  const { words, values, unknown } = split(args);
  if (unknown !== undefined) return `kubectl: the flag ${unknown} is not known`;
  const [verb = '', ...rest] = words;
  const about = VERBS.get(verb);
  if (about === undefined) return `kubectl: the verb ${verb} is not known`;
  const files = [...(values.get('-f') ?? []), ...(values.get('-k') ?? [])].filter(
    (file) => file !== '-' && isOfTheClone(file),
  );
  const lacking = files.find((file) => !existsSync(join(ROOT, file)));
  if (lacking !== undefined) return `kubectl: there is no ${lacking}`;
  if (about === 'none') return undefined;
  const [target = '', ...names] = about === 'after' ? rest.slice(1) : rest;
  if (about === 'pod' && !target.includes('/')) return objectProblem('pod', target, values);
  if (target.includes('/'))
    return [target, ...names].map((word) => pairProblem(word, values)).find((one) => one !== undefined);
  if (target === '' && values.has('-f')) return undefined;
  const kinds = target.split(',');
  const strange = kinds.find((kind) => !isKind(kind));
  if (strange !== undefined) return `kubectl: the kind ${strange} is not known`;
  // Of several kinds not each has the name, and what is set has no name.
  const [name] = names.filter((word) => !/[=]|-$/.test(word));
  if (name === undefined) return undefined;
  const problems = kinds.map((kind) => objectProblem(kind, name, values));
  return problems.every((problem) => problem !== undefined) ? problems[0] : undefined;
}

function split(args: readonly string[]) {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const values = new Map<string, string[]>();
  const words: string[] = [];
  for (let at = 0; at < own.length; at += 1) {
    const word = own[at] ?? '';
    const [flag = '', value] = word.split(/=(.*)/s);
    if (!word.startsWith('-') || word === '-') words.push(word);
    else if (word === '-k' || VALUES.includes(flag)) {
      const given = value ?? own[++at] ?? '';
      values.set(flag, [...(values.get(flag) ?? []), given]);
    } else if (!SWITCHES.includes(flag) && !/^-[\w.]+-$/.test(word)) return { words, values, unknown: flag };
  }
  return { words, values, unknown: undefined };
}

/** Files that the repository has, rather than what the reader or an earlier command makes. */
function isOfTheClone(file: string): boolean {
  return /^(?:dist|examples)\//.test(file) || file === 'dist';
}

/** Of `deployment/web`. Words that set something, such as `key=value`, name nothing. */
function pairProblem(word: string, values: ReadonlyMap<string, readonly string[]>): string | undefined {
  const [kind = '', name] = word.split('/');
  if (name === undefined || word.includes('=') || isPlaceholder(word)) return undefined;
  const alias: Record<string, string> = { deploy: 'deployment', svc: 'service' };
  const full = alias[kind] ?? kind;
  return isKind(full) ? objectProblem(full, name, values) : `kubectl: the kind ${kind} is not known`;
}

/** Objects in Autocert's namespace, and objects of the cluster that are called like ours, have to be ours. */
function objectProblem(kind: string, name: string, values: ReadonlyMap<string, readonly string[]>): string | undefined {
  if (isPlaceholder(name) || name === '') return undefined;
  const isInOurs = values.get('-n')?.includes('step') || /^autocert(?:-|$)/.test(name);
  if (!isInOurs || OURS.has(`${singular(kind)}/${name}`)) return undefined;
  return `kubectl: Autocert has no ${singular(kind)} ${name}`;
}
