// The flows behind graphql-yoga: node yoga.mjs PORT
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { refreshSession, signIn, signUp, viewer } from "./flows.mjs";

const typeDefs = /* GraphQL */ `
  input SignInInput { email: String! password: String! }
  input SignUpInput { email: String! password: String! firstName: String lastName: String }
  input RefreshSessionInput { refreshToken: String }
  interface UserError { message: String! code: String! }
  type Failed implements UserError { message: String! code: String! }
  type SessionCreated { userId: ID! sessionId: ID! sessionToken: String refreshToken: String expiresAt: String! }
  type VerificationRequired { userId: ID emailAddressId: ID! verificationId: ID! expiresAt: String! }
  type SessionRefreshed { sessionToken: String expiresAt: String! }
  type Viewer { userId: ID! sessionId: ID! expiresAt: String! }
  union SignInResult = SessionCreated | Failed
  union SignUpResult = VerificationRequired | Failed
  union RefreshSessionResult = SessionRefreshed | Failed
  type Query { viewer: Viewer }
  type Mutation {
    signIn(input: SignInInput!): SignInResult!
    signUp(input: SignUpInput!): SignUpResult!
    refreshSession(input: RefreshSessionInput!): RefreshSessionResult!
  }
`;

// member runs a flow and answers with its success, or with what went wrong.
const member = (type, flow) => async (_, { input }) => {
  try {
    return { __typename: type, ...(await flow(input)) };
  } catch (error) {
    return { __typename: "Failed", message: "failed", code: error.errors?.[0]?.code ?? "unknown" };
  }
};

const yoga = createYoga({
  schema: createSchema({
    typeDefs,
    resolvers: {
      Query: { viewer: (_, __, { request }) => viewer(request.headers.get("authorization")) },
      Mutation: {
        signIn: member("SessionCreated", signIn),
        signUp: member("VerificationRequired", signUp),
        refreshSession: member("SessionRefreshed", refreshSession),
      },
    },
  }),
  graphiql: false,
  logging: false,
});

// As behind a proxy, which keeps its connections: Node's own 5 seconds would close them between two measurements.
createServer({ keepAliveTimeout: 600_000 }, yoga).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 }); // as many as the bench opens at once
