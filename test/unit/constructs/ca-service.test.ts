import { StepCa, type StepCaProps } from '../../../constructs/index.ts';
import { find, synth } from '../../support/manifests.ts';
import { reaches } from '../../support/network.ts';

const made = (props: StepCaProps = {}) => synth((chart) => new StepCa(chart, 'ca', props));
const service = (props?: StepCaProps) => find(made(props), 'Service', 'ca');
const allowFrom = [{ ipBlock: { cidr: '203.0.113.0/24' } }];
const ports = [{ name: 'https', port: 443, targetPort: 4443 }];

describe('the Service of the CA', () => {
  test('is for the inside of the cluster unless it is told otherwise', () => {
    expect(service().spec).toEqual({ selector: { app: 'ca' }, ports });
    expect(service().metadata).not.toHaveProperty('annotations');
  });

  test('is a load balancer with what a cloud wants to know', () => {
    const options = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['203.0.113.0/24', '2001:db8::/32'],
      loadBalancerClass: 'service.k8s.aws/nlb',
    } as const;
    const annotations = { 'external-dns.alpha.kubernetes.io/hostname': 'ca.example.com' };
    const { metadata, spec } = service({ service: { ...options, annotations }, allowFrom });
    expect(metadata.annotations).toEqual(annotations);
    expect(spec).toEqual({ ...options, selector: { app: 'ca' }, ports });
  });

  test.each([
    ['ClusterIP', { type: 'ClusterIP', annotations: { note: 'x' } }],
    ['NodePort', { type: 'NodePort', externalTrafficPolicy: 'Cluster' }],
  ] as const)('may be a %s', (type, options) => {
    expect(service({ service: options, allowFrom }).spec.type).toBe(type);
  });

  test('lets in whom allowFrom names, and nobody else', () => {
    const manifests = made({ service: { type: 'LoadBalancer' }, allowFrom });
    const ca = { namespace: 'step', labels: { app: 'ca' } };
    expect(reaches(manifests, { address: '203.0.113.9' }, ca, 4443)).toBe(true);
    expect(reaches(manifests, { address: '198.51.100.9' }, ca, 4443)).toBe(false);
  });

  test.each(['LoadBalancer', 'NodePort'] as const)(
    'as a %s wants allowFrom, or the word that you see to it',
    (type) => {
      expect(() => made({ service: { type } })).toThrow(
        `service.type: got "${type}", but NetworkPolicies let nobody from outside in: name them in allowFrom: ` +
          "[{ ipBlock: { cidr: '203.0.113.0/24' } }]",
      );
      expect(() => made({ service: { type }, allowFrom: [] })).not.toThrow();
      expect(() => made({ service: { type }, networkPolicies: false })).not.toThrow();
    },
  );

  test.each<[unknown, string]>([
    ['LoadBalancer', 'service: got "LoadBalancer", but it takes an object'],
    [{ tpye: 'LoadBalancer' }, 'it knows no "tpye": it takes type, annotations, externalTrafficPolicy'],
    [
      { type: 'ExternalName' },
      'service.type: got "ExternalName", but it takes "ClusterIP" or "NodePort" or "LoadBalancer"',
    ],
    [{ annotations: { port: 443 } }, 'service.annotations.port: got 443, but it takes a string'],
    [{ annotations: { 'a b': '' } }, 'service.annotations: got "a b", but it takes a key'],
    [{ annotations: { 'autocert.step.sm/x': '' } }, 'but this key is Autocert’s'],
    [
      { externalTrafficPolicy: 'Local' },
      'service.externalTrafficPolicy: got "Local", but it takes service.type "NodePort" or "LoadBalancer"',
    ],
    [{ type: 'NodePort', externalTrafficPolicy: 'local' }, 'got "local", but it takes "Cluster" or "Local"'],
    [
      { type: 'NodePort', loadBalancerSourceRanges: ['10.0.0.0/8'] },
      'service.loadBalancerSourceRanges: got ["10.0.0.0/8"], but it takes service.type "LoadBalancer"',
    ],
    [
      { type: 'LoadBalancer', loadBalancerSourceRanges: [] },
      'service.loadBalancerSourceRanges: got [], but it takes a list of at least one',
    ],
    [
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.1'] },
      'service.loadBalancerSourceRanges[0]: got "10.0.0.1", but it takes a CIDR block',
    ],
    [{ type: 'LoadBalancer', loadBalancerClass: 'a b' }, 'service.loadBalancerClass: got "a b", but it takes the name'],
  ])('refuses %j', (options, message) => {
    expect(() => made({ service: options, allowFrom } as StepCaProps)).toThrow(message);
  });
});
