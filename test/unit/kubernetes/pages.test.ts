import { pages } from '../../../runtime/kubernetes/pages.ts';

type Query = Readonly<Record<string, string>>;

function lists(answer: (query: Query) => object) {
  const asked: Query[] = [];
  const request = async (_method: string, _path: string, { query = {} }: { query?: Query } = {}) => {
    asked.push(query);
    return answer(query);
  };
  return { asked, api: { request: request as never } };
}

async function namesOf(from: AsyncGenerator<{ readonly items?: readonly string[] | null }>): Promise<string[]> {
  const names: string[] = [];
  for await (const { items } of from) names.push(...(items ?? []));
  return names;
}

test('a list is read page by page, to its end', async () => {
  const { api, asked } = lists((query) =>
    query.continue ? { items: ['b'], metadata: {} } : { items: ['a'], metadata: { continue: 'token' } },
  );
  expect(await namesOf(pages<string>(api, '/x', { query: { fieldSelector: 'f' }, size: 1 }))).toEqual(['a', 'b']);
  expect(asked).toEqual([
    { fieldSelector: 'f', limit: '1' },
    { fieldSelector: 'f', limit: '1', continue: 'token' },
  ]);
});

test('an empty list may have no items', async () => {
  expect(await namesOf(pages<string>(lists(() => ({ items: null, metadata: {} })).api, '/x', { query: {} }))).toEqual(
    [],
  );
});

test('a list without an end is given up', async () => {
  const { api } = lists(() => ({ items: [], metadata: { continue: 'more' } }));
  await expect(namesOf(pages<string>(api, '/x', { query: {} }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
