import { LEAF_TEMPLATE, withAutocertRules } from '../../../runtime/step-ca/provisioner.ts';

const rules = { claims: { disableRenewal: true }, options: { x509: { template: LEAF_TEMPLATE } } };

test('the provisioner autocert renews nothing and leaves out long common names', () => {
  expect(withAutocertRules({ type: 'JWK', name: 'autocert' })).toEqual({ type: 'JWK', name: 'autocert', ...rules });
});

test('any other provisioner is as it was', () => {
  const admin = { name: 'admin', claims: { maxTLSCertDuration: '48h' } };
  expect(withAutocertRules(admin)).toEqual(admin);
});

test('what else is set at autocert stays, and renewal cannot be switched on', () => {
  const options = { ssh: {}, x509: { templateData: { team: 'shop' } } };
  const provisioner = { name: 'autocert', claims: { minTLSCertDuration: '10m', disableRenewal: false }, options };
  expect(withAutocertRules(provisioner)).toEqual({
    name: 'autocert',
    claims: { minTLSCertDuration: '10m', disableRenewal: true },
    options: { ssh: {}, x509: { templateData: { team: 'shop' }, template: LEAF_TEMPLATE } },
  });
});

test.each([{ template: '{"subject": {}}' }, { templateFile: '/templates/leaf.tpl' }])(
  "a template of the user's own stays: %j",
  (x509) => {
    expect(withAutocertRules({ name: 'autocert', options: { x509 } }).options).toEqual({ x509 });
  },
);

test('what Go writes as null counts as absent', () => {
  expect(withAutocertRules({ name: 'autocert', claims: null, options: { x509: null } })).toMatchObject(rules);
  expect(withAutocertRules({ name: 'autocert', options: null })).toMatchObject(rules);
});

test('applied twice it is the same', () => {
  const once = withAutocertRules({ name: 'autocert' });
  expect(withAutocertRules(once)).toEqual(once);
});
