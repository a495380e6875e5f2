// The flows with Clerk's SDK, as both servers run them: the same calls to Clerk as ClerkQL makes, and no more.
import { createClerkClient, verifyToken } from "@clerk/backend";

const { CLERK_API_URL: apiUrl, CLERK_SECRET_KEY: secretKey } = process.env;
const clerk = createClerkClient({ apiUrl, secretKey });

// call makes a call that the SDK has no method for, or none that makes it alone: getUserList counts the users in a second call.
async function call(method, path) {
  const response = await fetch(`${apiUrl}/v1${path}`, { method, headers: { Authorization: `Bearer ${secretKey}` } });
  if (!response.ok) throw new Error(`Clerk answers ${response.status}`);
  return response.json();
}

export async function signIn({ email, password }) {
  const [user] = await call("GET", `/users?email_address=${encodeURIComponent(email)}`);
  if (!user || user.banned || user.locked) throw new Error("no such user");
  await clerk.users.verifyPassword({ userId: user.id, password });
  const session = await clerk.sessions.createSession({ userId: user.id });
  const { jwt } = await clerk.sessions.getToken(session.id);
  return {
    userId: user.id, sessionId: session.id, sessionToken: jwt, refreshToken: session.id,
    expiresAt: new Date(session.expireAt).toISOString(),
  };
}

export async function signUp({ email, password, firstName, lastName }) {
  const user = await clerk.users.createUser({
    emailAddress: [email], password, firstName, lastName,
    emailAddressIdentificationStatus: ["reserved"], privateMetadata: { clerkql_sign_up: true },
  });
  const emailAddressId = user.emailAddresses[0].id;
  const verification = await call("POST", `/email_addresses/${emailAddressId}/prepare_verification`);
  return {
    userId: user.id, emailAddressId, verificationId: verification.id,
    expiresAt: new Date(verification.expire_at).toISOString(),
  };
}

export async function refreshSession({ refreshToken }) {
  const { jwt } = await clerk.sessions.getToken(refreshToken);
  return { sessionToken: jwt, expiresAt: new Date(Date.now() + 60_000).toISOString() };
}

export async function viewer(authorization) {
  const claims = await verifyToken((authorization ?? "").replace(/^Bearer /, ""), { apiUrl, secretKey });
  return { userId: claims.sub, sessionId: claims.sid, expiresAt: new Date(claims.exp * 1000).toISOString() };
}
