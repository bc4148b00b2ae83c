import { Secret } from '../../../runtime/lib/secret.ts';
import { serverLog } from '../../../runtime/lib/server-log.ts';

function lineOf(fields: object): Record<string, unknown> {
  let line = '';
  const destination = {
    write: (text: string) => {
      line += text;
    },
  };
  serverLog('webhook', destination).info(fields, 'something happened');
  return JSON.parse(line);
}

test('a line is JSON, with the component, the fields and the message', () => {
  expect(lineOf({ pod: 'web-0' })).toMatchObject({
    level: 30,
    component: 'webhook',
    pod: 'web-0',
    msg: 'something happened',
  });
});

test('tokens, passwords and keys do not reach it, whoever passes them', () => {
  const fields = {
    token: 's3cret',
    request: { authorization: 's3cret', password: 's3cret' },
    held: new Secret('s3cret'),
  };
  expect(JSON.stringify(lineOf(fields))).not.toContain('s3cret');
});
