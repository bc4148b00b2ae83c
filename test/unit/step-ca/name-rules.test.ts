/** How the rules get into a provisioner; what step-ca does by them is asked in `test/interop/ca-names.test.ts`. */
import type { CaNameRules } from '../../../runtime/contract.ts';
import { NAME_CHECK, NAME_RULES } from '../../../runtime/step-ca/name-rules.ts';
import { LEAF_TEMPLATE, withAutocertRules } from '../../../runtime/step-ca/provisioner.ts';

const lists = [
  'own',
  'neverDns',
  'dns',
  'clusterDns',
  'notClusterDns',
  'shortDns',
  'notShortDns',
  'neverIp',
  'ip',
  'neverUri',
  'uri',
];
const empty = { patterns: ' ', topLevel: ' ' };
const rules = { ...empty, ...Object.fromEntries(lists.map((key) => [key, []])) } as unknown as CaNameRules;
const x509Of = (options?: Readonly<Record<string, unknown>>) =>
  withAutocertRules({ name: 'autocert', options: { x509: options ?? null } }, rules).options?.x509;

test('the rules are data of the template, and the check is before it', () => {
  expect(x509Of()).toEqual({ template: NAME_CHECK + LEAF_TEMPLATE, templateData: { autocertNames: rules } });
});

test("a template of the user's own gets the check, too, and keeps its data", () => {
  const own = { template: '{"subject": {}}', templateData: { team: 'a' } };
  expect(x509Of(own)).toEqual({
    template: `${NAME_CHECK}{"subject": {}}`,
    templateData: { team: 'a', autocertNames: rules },
  });
});

test('applied twice it is the same', () => expect(x509Of(x509Of() ?? {})).toEqual(x509Of()));

test.each([{ templateFile: '/leaf.tpl' }, { template: 'e30=' }])(
  'where it cannot be put, nothing is signed: %j',
  (own) => {
    expect(() => x509Of(own)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining('autocertNames') }),
    );
  },
);

test('no other provisioner is bound', () => {
  const admin = { name: 'admin' };
  expect(withAutocertRules(admin, rules)).toBe(admin);
});

test('a list that is missing is a fault: nothing is left out by mistake', () => {
  expect(() => NAME_RULES(rules)).not.toThrow();
  for (const key of lists) {
    const { [key as keyof CaNameRules]: _, ...others } = rules;
    expect(() => NAME_RULES(others)).toThrow(`${key}: must be a list`);
  }
});
