import { Pki, StepCa, type StepCaProps } from '../../../constructs/index.ts';
import { createAuthorities } from '../../support/authorities.ts';
import { find, listed, synth } from '../../support/manifests.ts';

const made = (props?: StepCaProps) => synth((chart) => new StepCa(chart, 'ca', props));
const guardOf = (props?: StepCaProps) => find(made(props), 'ValidatingAdmissionPolicy', 'autocert-pki-step').spec;

describe('the keys of the CA', () => {
  const policy = guardOf();

  test('are kept from being deleted: the Secrets that hold or open them, and their namespace, in it alone', () => {
    expect(policy.failurePolicy).toBe('Fail');
    expect(policy.matchConstraints.namespaceSelector).toEqual({
      matchLabels: { 'kubernetes.io/metadata.name': 'step' },
    });
    expect(policy.matchConstraints.resourceRules).toEqual([
      {
        apiGroups: [''],
        apiVersions: ['v1'],
        operations: ['DELETE'],
        resources: ['secrets', 'namespaces'],
        scope: '*',
      },
    ]);
    expect(policy.matchConditions[0].expression).toBe(
      'request.resource.resource == "namespaces" || oldObject.metadata.name in ' +
        '["ca-root-key", "ca-intermediate-key", "ca-provisioners", "ca-password", "autocert-password"]',
    );
  });

  test('may go when they are annotated; the refusal says how, and to save them first', () => {
    const [{ expression, messageExpression }] = policy.validations;
    expect(expression).toContain('"autocert.step.sm/allow-deletion"].orValue("") == "true"');
    expect(messageExpression).toContain('autocert pki backup');
    expect(messageExpression).toContain('kubectl annotate');
    expect(messageExpression).toContain('autocert.step.sm/allow-deletion=true');
  });

  test('are deleted with a namespace that is being deleted, which could not go otherwise', () => {
    expect(policy.validations[0].expression).toContain('has(namespaceObject.metadata.deletionTimestamp)');
  });

  test('stay when an Argo CD Application or a Helm release goes', () => {
    expect(find(made(), 'Namespace').metadata.annotations).toEqual({
      'argocd.argoproj.io/sync-options': 'Delete=false,Prune=false',
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
      'helm.sh/resource-policy': 'keep',
    });
    const { annotations } = find(made(), 'ValidatingAdmissionPolicy', 'autocert-pki-step').metadata;
    expect(annotations).toEqual({
      'argocd.argoproj.io/sync-options': 'Delete=false',
      'kustomize.toolkit.fluxcd.io/prune': 'disabled',
    });
  });

  test('are those of its own namespace: two CAs of a cluster do not share a guard', () => {
    expect(listed(made({ namespace: 'pki' }))).toEqual(
      expect.arrayContaining([
        'ValidatingAdmissionPolicy/autocert-pki-pki',
        'ValidatingAdmissionPolicyBinding/autocert-pki-pki',
      ]),
    );
  });

  test('are kept in a namespace of others, too, which itself is none of our business', () => {
    expect(guardOf({ createNamespace: false }).matchConstraints.resourceRules[0].resources).toEqual(['secrets']);
  });

  test('are kept under the names that an existing PKI gives them', async () => {
    const { root, intermediate } = await createAuthorities();
    const pki = Pki.existing({
      rootCertificate: root,
      intermediateCertificate: intermediate,
      intermediateKeySecret: 'my-key',
    });
    const [{ expression }] = guardOf({ pki }).matchConditions;
    expect(expression).toContain('["my-key", "ca-provisioners", "ca-password", "autocert-password"]');
  });

  test('are not kept if that is not wanted, or the cluster has no such policies', () => {
    const manifests = made({ retain: false });
    expect(listed(manifests).filter((name) => /^ValidatingAdmission.*autocert-pki/.test(name))).toEqual([]);
    expect(find(manifests, 'Namespace').metadata.annotations ?? {}).toEqual({});
    expect(() => made({ retain: 'no' as never })).toThrow(/^retain: got "no"/);
  });
});
