/** As README.md recommends for servers, and `npm start` sets: V8 lets garbage lie in proportion to these limits. */
export const recommendedNodeOptions = '--max-old-space-size=512 --max-semi-space-size=4'
