// The flows behind plain routes: node rest.mjs PORT
import { createServer } from "node:http";
import { refreshSession, signIn, signUp, viewer } from "./flows.mjs";

const routes = {
  "/signIn": signIn,
  "/signUp": signUp,
  "/refreshSession": refreshSession,
  "/viewer": (_, request) => viewer(request.headers.authorization),
};

// As behind a proxy, which keeps its connections: Node's own 5 seconds would close them between two measurements.
createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
  const answer = (status, body) => {
    const text = JSON.stringify(body);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
    response.end(text);
  };
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    answer(200, await routes[request.url](JSON.parse(Buffer.concat(chunks).toString()), request));
  } catch (error) {
    answer(400, { error: error.errors?.[0]?.message ?? "failed" });
  }
}).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 }); // as many as the bench opens at once
