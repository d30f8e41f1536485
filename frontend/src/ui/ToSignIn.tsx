import { Navigate, useLocation } from "react-router";

/** Away to the sign-in, and back to this page after it. */
export function ToSignIn() {
  const { pathname, search } = useLocation();
  return <Navigate to="/sign-in" replace state={{ from: pathname + search }} />;
}
