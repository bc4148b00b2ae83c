/**
 * `npm run overlay`: a Component of kustomize that puts the manifests of `dist/` into another namespace, which is in names,
 * configuration, certificates and policies, too. What has to change where is not written down anywhere: `main.ts` is synthesized
 * for both namespaces, and what differs becomes patches.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { objectsIn } from '../runtime/cli/manifests.ts';
import { messageOf } from '../runtime/lib/errors.ts';
import { isDnsLabel } from '../runtime/policy/names.ts';
import { flagsOf } from './flags.ts';
import { componentFor, type KubernetesObject } from './kustomize-component.ts';
import { ROOT } from './project-files.ts';
import { type FileTexts, readFolder, synthesized } from './synthesis.ts';

/** The Component of the example. */
const EXAMPLE = join(ROOT, 'examples/kustomize-namespace/namespace');
const FILE = 'kustomization.yaml';
const MARKER = '# Written by `npm run overlay';

const HELP = `npm run overlay -- --namespace NAME [flags]: a Component of kustomize that puts dist/ into another namespace

  --namespace NAME   of CA, webhook and signer
  --out FOLDER       where the Component is written, in place of an earlier one; default: ${relative(ROOT, EXAMPLE)}`;

/**
 * The Component for a namespace.
 * @param base the files of `dist/`
 * @param synthesize has them made for a namespace
 * @throws Error where it cannot be made: what to do is in its message
 */
export async function overlayFor(namespace: string, base: FileTexts, synthesize = synthesized): Promise<string> {
  if (!isDnsLabel(namespace)) {
    throw new Error(
      `--namespace is ${JSON.stringify(namespace)}: name it with lower-case letters, digits and "-", at most 63 of them, such as "pki"`,
    );
  }
  const [usual, other] = await Promise.all([synthesize(), synthesize(namespace)]);
  if (JSON.stringify(usual) !== JSON.stringify(base)) {
    throw new Error('dist/ is not what main.ts synthesizes: npm run synth, and then this again');
  }
  const [before, after] = [objectsOf(usual), objectsOf(other)];
  if (JSON.stringify(before) === JSON.stringify(after)) {
    throw new Error(
      before.some(({ metadata }) => metadata.namespace === namespace)
        ? `--namespace is ${namespace}, where dist/ is already: apply it as it is, or name another`
        : 'main.ts makes the same for each namespace: give StepCa its namespace as process.env.AUTOCERT_NAMESPACE ?? "step"',
    );
  }
  const { configMapGenerator } = parse(usual.Kustomization ?? '');
  return `${MARKER} -- --namespace ${namespace}\`: do not edit it, make it anew after each \`npm run synth\`.
# It is for these manifests and no others, which kustomize refuses: "no matches for Id ConfigMap… autocert-manifests-…" if dist/ is
# of another version, "test failed" if somebody else has changed a value that is replaced here.
${componentFor(before, after, configMapGenerator[0].name)}`;
}

function objectsOf(files: FileTexts): readonly KubernetesObject[] {
  const manifests = Object.entries(files).filter(([name]) => name.endsWith('.yaml'));
  return manifests.flatMap(([name, text]) => objectsIn(text, name) as unknown as KubernetesObject[]);
}

/**
 * Writes a Component into a folder of its own.
 * @throws Error for a folder that has anything else in it
 */
export function writeOverlay(folder: string, component: string): void {
  const others = existsSync(folder) ? readdirSync(folder).filter((name) => !isOurs(folder, name)) : [];
  if (others.length > 0) {
    throw new Error(
      `--out: ${folder} has files that are not of npm run overlay, such as ${others[0]}; name a new folder`,
    );
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, FILE), component);
}

function isOurs(folder: string, name: string): boolean {
  return name === FILE && readFileSync(join(folder, name), 'utf8').startsWith(MARKER);
}

if (import.meta.main) {
  const { values } = flagsOf(HELP, {
    options: { namespace: { type: 'string' }, out: { type: 'string', default: EXAMPLE } },
  });
  try {
    if (values.namespace === undefined) throw new Error(`--namespace is missing\n\n${HELP}`);
    writeOverlay(values.out, await overlayFor(values.namespace, await readFolder(join(ROOT, 'dist'))));
    console.log(
      `${join(relative('', values.out), FILE)}: for \`components\` of an overlay, as in ${relative(ROOT, join(EXAMPLE, '..'))}`,
    );
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}
