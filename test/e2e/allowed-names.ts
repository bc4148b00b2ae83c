/**
 * A policy that changes under running programs: what a synthesized AutocertNamespace with other `allowedNames` changes in
 * the ConfigMaps of webhook, signer and CA.
 * @module
 */
import { CaConfigFile } from '../../runtime/contract.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { SYSTEM } from './context.ts';

type Data = Readonly<Record<string, string>>;
type Change = (config: Record<string, unknown>) => object;

/** Allows the pods of a namespace the names below a domain; what it gives takes them away again. */
export async function allowNames(kubectl: Kubectl, namespace: string, domain: string): Promise<() => Promise<void>> {
  const pattern = `*.${domain}`;
  const inPolicy: Change = ({ namespaces, ...rest }) => ({
    ...rest,
    namespaces: { ...(namespaces as object), [namespace]: { allowedNames: [pattern] } },
  });
  const inRules: Change = ({ patterns, ...rest }) => ({ ...rest, patterns: `${patterns}${pattern} ` });
  const ends = [
    await changed(kubectl, 'autocert-config', undefined, inPolicy),
    await changed(kubectl, 'autocert-signer-config', undefined, inPolicy),
    await changed(kubectl, CaConfigFile.configMap, CaConfigFile.names, inRules),
  ];
  return async () => {
    for (const end of ends) await end();
  };
}

/** Changes a file of a ConfigMap, or its only one. */
async function changed(kubectl: Kubectl, map: string, file: string | undefined, change: Change) {
  const { data } = await kubectl.json<{ data: Data }>(['-n', SYSTEM, 'get', 'configmap', map]);
  const files = file === undefined ? data : { [file]: data[file] ?? '' };
  const put = (put: Data) => {
    const patch = JSON.stringify({ data: put });
    return kubectl.run(['-n', SYSTEM, 'patch', 'configmap', map, '--type=merge', '-p', patch]);
  };
  await put(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [name, JSON.stringify(change(JSON.parse(text)))])),
  );
  return () => put(files);
}
