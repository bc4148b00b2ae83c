import { applyPatch } from '../../../runtime/cli/start/json-patch.ts';

describe('applying a JSON Patch (RFC 6902)', () => {
  test('adds members, appends to arrays and inserts into them', () => {
    const patched = applyPatch<object>({ list: ['b'] }, [
      { op: 'add', path: '/list/-', value: 'c' },
      { op: 'add', path: '/list/0', value: 'a' },
      { op: 'add', path: '/added', value: { deep: true } },
    ]);
    expect(patched).toEqual({ list: ['a', 'b', 'c'], added: { deep: true } });
  });

  test('replaces and removes members and elements', () => {
    const patched = applyPatch<object>({ a: 1, b: 2, list: [1, 2, 3] }, [
      { op: 'replace', path: '/a', value: 9 },
      { op: 'remove', path: '/b' },
      { op: 'replace', path: '/list/0', value: 7 },
      { op: 'remove', path: '/list/1' },
    ]);
    expect(patched).toEqual({ a: 9, list: [7, 3] });
  });

  test('reads ~1 as a slash and ~0 as a tilde (RFC 6901)', () => {
    const patched = applyPatch({ annotations: {} }, [
      { op: 'add', path: '/annotations/autocert.step.sm~1status', value: 'injected' },
      { op: 'add', path: '/annotations/a~0b', value: '~' },
    ]);
    expect(patched).toEqual({ annotations: { 'autocert.step.sm/status': 'injected', 'a~b': '~' } });
  });

  test('leaves the document that it was given as it is', () => {
    const document = { list: ['a'] };
    applyPatch(document, [{ op: 'add', path: '/list/-', value: 'b' }]);
    expect(document).toEqual({ list: ['a'] });
  });

  test('says which path has no parent', () => {
    expect(() => applyPatch({}, [{ op: 'add', path: '/spec/volumes', value: [] }])).toThrow('/spec/volumes');
  });

  test.each([
    ['an index beyond the end', { op: 'add', path: '/list/3', value: 0 }],
    ['an index that is no number', { op: 'add', path: '/list/x', value: 0 }],
    ['replacing what is not there', { op: 'replace', path: '/none', value: 0 }],
    ['removing what is not there', { op: 'remove', path: '/list/2' }],
    ['an operation that the webhook never sends', { op: 'move', path: '/list/0' }],
  ])('refuses %s, as the API server does', (_, operation) => {
    expect(() => applyPatch({ list: [1, 2] }, [operation])).toThrow('JSON Patch');
  });
});
