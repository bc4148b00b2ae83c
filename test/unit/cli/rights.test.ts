import { inNamespace, type NeededRights } from '../../../runtime/cli/rights.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';

const NEEDED: NeededRights = { rights: 'the verb get for secrets', canI: 'get secrets' };
const refused = (error: Error, needed = NEEDED, namespace = 'step') =>
  inNamespace(namespace, needed, () => Promise.reject(error)).catch(({ code, message }) => ({ code, message }));

describe('what the API server refuses is explained', () => {
  const forbidden = apiError(403, 'Forbidden', 'no');

  test('by the rights that are missing, and how to ask for them', async () => {
    expect(await refused(forbidden)).toEqual({
      code: 'FORBIDDEN',
      message:
        'you may not do this: it takes the verb get for secrets in namespace step (try kubectl -n step auth can-i get secrets)',
    });
  });

  test('and by those that are missing elsewhere', async () => {
    const elsewhere = { rights: 'the verb list for pods in all namespaces', canI: 'list pods --all-namespaces' };
    expect((await refused(forbidden, { ...NEEDED, elsewhere })).message).toMatch(
      / in namespace step, and the verb list for pods in all namespaces \(try .* get secrets; kubectl auth can-i list pods --all-namespaces\)$/,
    );
  });

  test('by the flag, where there is no such namespace, or cannot be', async () => {
    const needed = { ...NEEDED, flag: '--system-namespace' };
    expect(await refused(apiError(404, 'NotFound', 'no'), needed)).toMatchObject({
      code: 'INVALID_INPUT',
      message: "there is no namespace step: name Autocert's by --system-namespace",
    });
    expect(await refused(forbidden, needed, 'St/ep')).toMatchObject({
      code: 'INVALID_INPUT',
      message: '--system-namespace "St/ep" cannot be a namespace',
    });
  });

  test('any other error stays as it is', async () => {
    await expect(inNamespace('step', NEEDED, () => Promise.reject(new Error('x')))).rejects.toThrow(/^x$/);
  });
});
