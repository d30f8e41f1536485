import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";
import { messageOf } from "../api/client";
import { api } from "../api/endpoints";
import { TextField } from "./kit/fields";
import { Button, Loading, Note } from "./kit/kit";
import { Logo } from "./Logo";
import { OidcButton } from "./OidcButton";
import { SignInArt } from "./SignInArt";
import { sessionQuery, useSession } from "./session";
import { usePageTitle } from "./usePageTitle";
import { forgetProblemOfSignIn, forgetWayOn, problemOfSignIn, wayOn } from "./wayIn";

export function SignInPage() {
  usePageTitle("Sign in");
  const session = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const location = useLocation();
  // Once: it is forgotten while this page is still there.
  const [from] = useState(() => (location.state as { from?: string } | null)?.from ?? wayOn() ?? "/");
  const [problem] = useState(problemOfSignIn);
  useEffect(forgetProblemOfSignIn, []);
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: (who: { username: string; password: string }) => api.signIn(who.username, who.password),
    onSuccess: async () => {
      await queries.resetQueries({ queryKey: sessionQuery.queryKey });
      forgetWayOn();
      navigate(from, { replace: true });
    },
  });
  // All ways in at once: nothing shall move under a hand that is about to type.
  if (session.isPending) return <Loading label="Loading" />;
  if (session.data?.user && !signIn.isPending) return <GoOn to={from} />;
  const demo = session.data?.demo ?? null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ username, password });
  };
  return (
    <main className="sign-in">
      <section className="sign-in__art">
        <SignInArt />
        <div>
          <h2>Click an object. Keep the mask. The model learns.</h2>
          <p>A segmentation data engine for teams: label together, retrain, and see whether the new model is better.</p>
        </div>
      </section>
      <section className="sign-in__form">
        <form className="stack" onSubmit={submit}>
          <span className="brand">
            <Logo size={34} />
            Anymask
          </span>
          <h1>Sign in</h1>
          {signIn.isError && <Note tone="bad">{messageOf(signIn.error)}</Note>}
          {problem && signIn.isIdle && <Note tone="bad">{problem}</Note>}
          {session.isError && <Note tone="bad">{messageOf(session.error)}</Note>}
          <TextField
            label="User name"
            autoComplete="username"
            autoCapitalize="none"
            required
            value={username}
            onChange={setUsername}
          />
          <TextField
            label="Password"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={setPassword}
          />
          <Button type="submit" look="primary" size="large" busy={signIn.isPending}>
            Sign in
          </Button>
          {session.data?.oidc && (
            <OidcButton label={`Sign in with ${session.data.oidc.name}`} from={from} {...invitedBy(from)} />
          )}
          {demo && (
            <div className="card card--pad stack stack--small">
              <p className="small">
                This installation has a demo account: <b className="mono">{demo.username}</b> /{" "}
                <b className="mono">{demo.password}</b>
              </p>
              <Button onClick={() => signIn.mutate(demo)} disabled={signIn.isPending}>
                Use the demo account
              </Button>
            </div>
          )}
        </form>
      </section>
    </main>
  );
}

function GoOn({ to }: { to: string }) {
  useEffect(forgetWayOn, []);
  return <Navigate to={to} replace />;
}

/** Somebody who came from an invitation's link may be new here. */
function invitedBy(from: string): { invitation?: string } {
  const invitation = /^\/join\/([^/]+)$/.exec(from)?.[1];
  return invitation ? { invitation } : {};
}
