import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { firstThatOpens } from '../../../runtime/x509/private-key.ts';

const wrong = (password: Secret) => new AutocertError('WRONG_PASSWORD', `not ${password.reveal()}`);
const [one, two, three] = [new Secret('one'), new Secret('two'), new Secret('three')];

describe('of several passwords', () => {
  test.each([
    ['at once', (open: (password: Secret) => string) => async () => firstThatOpens([one, two, three], open)],
    [
      'by and by',
      (open: (password: Secret) => string) => () =>
        firstThatOpens([one, two, three], async (password) => open(password)),
    ],
  ])('the first that opens counts, %s', async (_, trying) => {
    const tried: string[] = [];
    const open = (password: Secret) => {
      tried.push(password.reveal());
      if (password === two) return 'opened';
      throw wrong(password);
    };
    await expect(trying(open)()).resolves.toBe('opened');
    expect(tried).toEqual(['one', 'two']);
    const none = trying((password) => {
      throw wrong(password);
    });
    await expect(none()).rejects.toMatchObject({ code: 'WRONG_PASSWORD', message: 'not three' });
    const broken = trying(() => {
      throw new AutocertError('INVALID_CONFIG', 'no key');
    });
    await expect(broken()).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
});
