import { object } from '../../../runtime/lib/validator.ts';
import { CA } from '../../../runtime/step-ca/config.ts';

const check = object(CA);
const config = {
  caUrl: 'https://ca.step.svc',
  rootFile: '/root_ca.crt',
  provisioner: 'autocert',
  provisionerPasswordFile: '/password',
};

test('the file with the next password may be named, and need not be', () => {
  expect(() => check(config)).not.toThrow();
  expect(() => check({ ...config, provisionerNextPasswordFile: '/next-password' })).not.toThrow();
});

test.each(['', 1, null])('%j names no file', (provisionerNextPasswordFile) => {
  expect(() => check({ ...config, provisionerNextPasswordFile })).toThrow(
    'provisionerNextPasswordFile: must be a text',
  );
});
