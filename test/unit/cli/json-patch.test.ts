import { applyPatch } from '../../../runtime/cli/json-patch.ts';

describe('applying a JSON Patch (RFC 6902)', () => {
  test('adds members, appends to arrays and inserts into them', () => {
    const patched = applyPatch<object>({ list: ['b'] }, [
      { op: 'add', path: '/list/-', value: 'c' },
      { op: 'add', path: '/list/0', value: 'a' },
      { op: 'add', path: '/added', value: { deep: true } },
    ]);
    expect(patched).toEqual({ list: ['a', 'b', 'c'], added: { deep: true } });
  });

  test('each operation sees what those before it have done', () => {
    const patched = applyPatch<object>({}, [
      { op: 'add', path: '/list', value: ['a'] },
      { op: 'add', path: '/list/-', value: 'b' },
    ]);
    expect(patched).toEqual({ list: ['a', 'b'] });
  });

  test('reads ~1 as a slash and ~0 as a tilde (RFC 6901)', () => {
    const patched = applyPatch({ annotations: {} }, [
      { op: 'add', path: '/annotations/autocert.step.sm~1status', value: 'injected' },
      { op: 'add', path: '/annotations/a~0b', value: '~' },
    ]);
    expect(patched).toEqual({ annotations: { 'autocert.step.sm/status': 'injected', 'a~b': '~' } });
  });

  test('leaves document and operations as they are', () => {
    const document = { list: ['a'] };
    const operations = [
      { op: 'add', path: '/map', value: {} },
      { op: 'add', path: '/map/key', value: 'b' },
    ];
    applyPatch(document, operations);
    expect(document).toEqual({ list: ['a'] });
    expect(operations[0]?.value).toEqual({});
  });

  test('says which path has no parent', () => {
    expect(() => applyPatch({}, [{ op: 'add', path: '/spec/volumes', value: [] }])).toThrow('/spec/volumes');
  });

  test.each([
    ['an index beyond the end', { op: 'add', path: '/list/3', value: 0 }],
    ['an index that is no number', { op: 'add', path: '/list/x', value: 0 }],
    ['an operation that the webhook never sends', { op: 'remove', path: '/list/0' }],
  ])('refuses %s', (_, operation) => {
    expect(() => applyPatch({ list: [1, 2] }, [operation])).toThrow('JSON Patch');
  });
});
