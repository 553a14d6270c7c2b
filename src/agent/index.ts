/** The door of `agent`: one database host's agent. Its fence is a process of its own (fence-process.ts). */
export { type AgentParts, startAgent } from './agent.ts';
export { ignoredKeys } from './dynamic.ts';
export { RestClient, restIdentity } from './rest-client.ts';
export { patchConfig } from './rest-requests.ts';
