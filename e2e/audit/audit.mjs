// Runs the public audit of GraphQL over HTTP against the URL that is its argument, and prints one JSON line per check.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { id, name, status, reason } = await audit.fn();
  console.log(JSON.stringify({ id, name, status, reason: reason ?? '' }));
}
