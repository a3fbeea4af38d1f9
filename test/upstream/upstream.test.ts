import { upstreamSuite } from './suite.ts';

await upstreamSuite(Number.POSITIVE_INFINITY);
