/** The door of `auth`: who may come in and how they prove it, as tables and values. Pure. */
export { endPointBinding } from './end-point.ts';
export { FailureDelays } from './failure-delays.ts';
export {
  type Attempt,
  type HbaMethod,
  type HbaRule,
  matchHba,
  parseHba,
  type RuleProblem,
} from './hba.ts';
export { identAllows, type IdentRule, parseIdent } from './ident.ts';
export { failureKey } from './ip.ts';
export { isMd5Answer, isPassword, md5Answer, md5Secret, parseSecret, type Secret } from './secret.ts';
export { parseUserFile, type UserFile } from './user-file.ts';
