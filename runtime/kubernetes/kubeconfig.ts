/**
 * Writes a kubeconfig with one context, as a text (JSON is YAML): for API servers that this project starts, in the demo and in
 * tests. `credentials.ts` reads everybody's.
 * @module
 */

/**
 * @param cluster how the API server is reached, as the file has it
 * @param user who asks
 * @param namespace of the context. Absent: it has none
 */
export function kubeconfig(cluster: object, user: object, namespace?: string): string {
  const context = { cluster: 'it', user: 'me', ...(namespace !== undefined && { namespace }) };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'it', cluster }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'one', context }],
    'current-context': 'one',
  });
}
