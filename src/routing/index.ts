/** The door of `routing`: what people wish about the place of a statement, in comments, settings and rules. Pure. */
export { type HintRead, readHint, type Route, routeText, type Wishes } from './hints.ts';
export { type Rule, ruleFor, type RuleSubject } from './rules.ts';
export { RefusedReads } from './refused.ts';
