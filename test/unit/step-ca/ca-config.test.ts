import { composeCaConfig, PROVISIONERS, TEMPLATE } from '../../../runtime/step-ca/ca-config.ts';
import { LEAF_TEMPLATE } from '../../../runtime/step-ca/provisioner.ts';

describe("the CA's configuration", () => {
  const template = { address: ':4443', db: { type: 'mysql', dataSource: '' }, authority: { claims: { x: '1h' } } };

  test('is the template with the provisioners', () => {
    expect(composeCaConfig(template, [{ name: 'a' }])).toEqual({
      ...template,
      authority: { claims: { x: '1h' }, provisioners: [{ name: 'a' }] },
    });
  });

  test('keeps provisioners of the template, such as an ACME one', () => {
    const own = { authority: { provisioners: [{ type: 'ACME', name: 'acme' }] } };
    expect(composeCaConfig(own, [{ name: 'a' }])).toEqual({
      authority: { provisioners: [{ type: 'ACME', name: 'acme' }, { name: 'a' }] },
    });
  });

  test('has the data source that it is given', () => {
    expect(composeCaConfig(template, [], { dataSource: 'user:password@tcp(db)/' }).db).toEqual({
      type: 'mysql',
      dataSource: 'user:password@tcp(db)/',
    });
  });

  test('gives the provisioner autocert its rules, also where the PKI was made before there were any', () => {
    const old = [{ name: 'admin', claims: { maxTLSCertDuration: '48h' } }, { name: 'autocert' }];
    const ruled = {
      name: 'autocert',
      claims: { disableRenewal: true },
      options: { x509: { template: LEAF_TEMPLATE } },
    };
    expect(composeCaConfig({}, old)).toEqual({ authority: { provisioners: [old[0], ruled] } });
  });

  test('has no two provisioners of one name', () => {
    expect(() => composeCaConfig({}, [{ name: 'a' }, { name: 'a' }])).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        message: 'provisioner "a" is there twice: rename that of the template',
      }),
    );
  });

  test.each([
    [TEMPLATE, null, 'must be an object, got null'],
    [TEMPLATE, { authority: [] }, 'authority: must be an object, got []'],
    [TEMPLATE, { authority: { provisioners: [{}] } }, 'authority.provisioners[0].name: must be a text, got nothing'],
    [TEMPLATE, { federatedRoots: [1] }, 'federatedRoots[0]: must be a text, got 1'],
    [PROVISIONERS, {}, 'must be a list, got {}'],
    [PROVISIONERS, [{}], '[0].name: must be a text, got nothing'],
    [PROVISIONERS, [{ name: 'autocert', options: 'none' }], '[0].options: must be an object, got "none"'],
  ])('is refused: %s %j', (check, value, message) => expect(() => check(value)).toThrow(message));
});
