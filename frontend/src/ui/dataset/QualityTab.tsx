import { AgreementSection } from "./AgreementSection";
import { AuditSection } from "./AuditSection";
import { mayReview, useDataset } from "./DatasetPage";

/** How good the masks are, as people found out. */
export function QualityTab() {
  return (
    <div className="stack stack--large">
      <AuditSection />
      {mayReview(useDataset()) && <AgreementSection />}
    </div>
  );
}
